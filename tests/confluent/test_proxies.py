"""Which hosts the environment exempts from its proxy, and which proxies are unusable.

That requests take the way that is chosen here is told by the tests of the connection.
"""

from __future__ import annotations

import httpx
import pytest

from exporter.confluent.proxies import proxy_for
from exporter.errors import StartUpError

API = "https://api.confluent.cloud"
PROXY = {"HTTPS_PROXY": "http://proxy.example:3128"}


def variable_for(url: str, **environ: str) -> str | None:
    proxy = proxy_for(httpx.URL(url), environ)
    return proxy.variable if proxy else None


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        (API, "*"),
        (API, "localhost , *"),
        (API, "api.confluent.cloud"),
        (API, "API.Confluent.Cloud"),
        (API, "api.confluent.cloud."),
        ("https://api.confluent.cloud.", "api.confluent.cloud"),
        (API, "confluent.cloud"),
        (API, ".confluent.cloud"),
        (API, "*.confluent.cloud"),
        (API, "*.cloud"),
        (API, "api.confluent.cloud:443"),
        (API, "*.confluent.cloud:443"),
        (f"{API}:8443", "api.confluent.cloud:8443"),
        (f"{API}:8443", "api.confluent.cloud"),
        (API, "localhost,127.0.0.1, .svc ,\tapi.confluent.cloud ,"),
        (API, "localhost api.confluent.cloud"),
        ("https://10.128.3.4", "10.128.0.0/16"),
        ("https://10.128.3.4", "10.128.3.4/16"),
        ("https://10.128.3.4:8443", "10.128.3.4"),
        ("https://10.128.3.4:8443", "10.128.3.4:8443"),
        ("https://[::ffff:10.128.3.4]", "10.128.0.0/16"),
        ("https://[fd00::5]", "fd00::5"),
        ("https://[fd00:0:0::5]", "FD00:0::5"),
        ("https://[fd00::5]", "[fd00::5]"),
        ("https://[fd00::5]:8443", "[fd00::5]:8443"),
        ("https://[fd00::5]", "fd00::/8"),
        ("https://xn--bcher-kva.example", "bücher.example"),
        ("https://api.xn--bcher-kva.example", "*.Bücher.example"),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy_exempts(url: str, no_proxy: str, name: str) -> None:
    assert variable_for(url, **PROXY, **{name: no_proxy}) is None


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        (API, ""),
        (API, " , "),
        (API, "luent.cloud"),
        (API, "other.confluent.cloud"),
        (API, "*.api.confluent.cloud"),
        (API, "api.confluent.cloud:8443"),
        (f"{API}:8443", "api.confluent.cloud:443"),
        (API, "api.confluent.cloud:"),
        (API, "10.0.0.0/8"),
        (API, "[, ], [], ::1], :443, a..b, 10.0.0.0/99, \udcff"),
        ("https://10.129.3.4", "10.128.0.0/16"),
        ("https://10.128.3.4", "128.3.4"),
        ("https://10.128.3.4", "*.3.4"),
        ("https://[fd00::5]", "fd00::6"),
        ("https://[fd00::5]", "[fd00::5]:8443"),
    ],
)
def test_no_proxy_does_not_exempt(url: str, no_proxy: str) -> None:
    assert variable_for(url, **PROXY, NO_PROXY=no_proxy) == "HTTPS_PROXY"


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "https_proxy"),
        ({"HTTPS_PROXY": "http://p:1", "ALL_PROXY": "http://q:1"}, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": " ", "all_proxy": "http://p:1"}, "all_proxy"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://p:1"}, None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "", "NO_PROXY": "*"}, "ALL_PROXY"),
    ],
)
def test_the_precedence_of_the_variables(environ: dict[str, str], variable: str | None) -> None:
    assert variable_for(API, **environ) == variable


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("proxy.example:3128", "http://proxy.example:3128"),
        (" https://proxy.example ", "https://proxy.example"),
        ("http://proxy.example:3128/", "http://proxy.example:3128/"),
        ("me:s%23cret@proxy.example:3128", "http://me:s%23cret@proxy.example:3128"),
        ("[fd00::1]:3128", "http://[fd00::1]:3128"),
    ],
)
def test_a_proxy_may_lack_a_scheme(value: str, url: str) -> None:
    proxy = proxy_for(httpx.URL(API), {"ALL_PROXY": value})
    assert proxy is not None
    assert proxy.url == httpx.URL(url)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("http://me:s3cret@p:99999", "its port is not between 1 and 65535"),
        ("http://me:s3cret@p:0", "its port is not between 1 and 65535"),
        ("http://me:s3cret@p:" + "9" * 5000, "it is not a valid URL"),
        ("http://me:s3cret@p:port", "it is not a valid URL"),
        ("http://me:s3cret@", "it has no host"),
        ("socks5://me:s3cret@p:1080", "its scheme is not http or https"),
        ("http://me:s3cret#1@p:3128", "it is not a valid URL"),
        ("http://me:12#s3cret@p:3128", "it has a path, a query or a fragment"),
        ("http://me:12/s3cret@p:3128", "it has a path, a query or a fragment"),
        ("http://me:12?s3cret@p:3128", "it has a path, a query or a fragment"),
        ("http://me:s3cret\udcff@p:3128", "it is not a valid URL"),
        ("http://me:s3cret\x07@p:3128", "it is not a valid URL"),
    ],
)
def test_an_unusable_proxy_is_named_without_its_value(value: str, problem: str) -> None:
    with pytest.raises(StartUpError) as caught:
        proxy_for(httpx.URL(API), {"HTTPS_PROXY": value})
    assert str(caught.value) == (
        f"the environment variable HTTPS_PROXY is not a usable proxy: {problem}. Expected"
        " http://HOST:PORT or https://HOST:PORT, with special characters of a user or password in"
        " percent-encoding"
    )
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_an_unusable_proxy_is_ignored_where_it_is_not_used() -> None:
    environ = {"HTTPS_PROXY": "http://p:99999", "NO_PROXY": "confluent.cloud"}
    assert variable_for(API, **environ) is None
    assert variable_for("http://127.0.0.1:8089", HTTPS_PROXY="http://p:99999") is None
