from __future__ import annotations

import pytest

from exporter.config.urls import check_token_url, check_url


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://api.confluent.cloud/", "https://api.confluent.cloud"),
        ("HTTPS://Example.ORG/a/b//", "https://Example.ORG/a/b"),
        ("https://10.1.2.3:8443/x", "https://10.1.2.3:8443/x"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://localhost:8089", "http://localhost:8089"),
        ("http://LOCALHOST", "http://LOCALHOST"),
        ("http://127.0.0.1:1/p", "http://127.0.0.1:1/p"),
        ("http://127.255.255.254", "http://127.255.255.254"),
        ("http://[::1]:8089/", "http://[::1]:8089"),
    ],
)
def test_valid_urls_are_accepted(url: str, read: str) -> None:
    assert check_url(url) == read


@pytest.mark.parametrize(
    "url",
    [
        "http://api.confluent.cloud",
        "http://128.0.0.1",
        "http://0.0.0.0",
        "http://[::2]",
        "http://[::ffff:127.0.0.1]",
        "http://127.1",
        "http://localhost.example.org",
        "http://localhost@example.org",
        "http://127.0.0.1:80@example.org",
        "https://user@example.org",
        "https://example.org?x",
        "https://example.org/?",
        "https://example.org#x",
        "https://",
        "https:///path",
        "https:example.org",
        "https://example.org:0",
        "https://example.org:port",
        "https://example.org:65536",
        "https://-example-.org",
        "https://exa..mple.org",
        "https://[fe80::1%eth0]",
        "https://[example.org]",
        "https://example.org\\@localhost",
        "https://exämple.org",
        "ftp://example.org",
        "//example.org",
        "",
    ],
)
def test_urls_that_would_expose_or_lose_the_credentials_are_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="; "):
        check_url(url)


def test_a_rejected_url_is_not_quoted_because_it_may_contain_a_password() -> None:
    with pytest.raises(ValueError, match=r"^contains a user or password; [^@]*$"):
        check_url("https://someone:password@api.confluent.cloud")


@pytest.mark.parametrize(
    "url",
    [
        "https://login.example.com/oauth2/token",
        "https://login.example.com/realms/acme/token/",  # a slash at the end may matter
        "https://login.example.com:8443",
        "http://localhost:8089/identity-provider/oauth2/token",
        "http://[::1]:8089/token",
    ],
)
def test_token_urls_are_not_changed(url: str) -> None:
    assert check_token_url(url) == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://login.example.com/token", "is plain http, which would expose the credentials"),
        ("http://localhost.example.com/token", "is plain http"),
        (
            "https://exporter@login.example.com/token",
            "contains a user or password; use `client",
        ),
        ("https://login.example.com/token?scope=a", "has a query or fragment"),
        ("https://login.example.com/token#", "has a query or fragment"),
        ("login.example.com/token", "does not start with `https://`"),
        ("https:///token", "has no valid host or port; expected a URL such as `https://login."),
        ("https://api.confluent.cloud/sts/v1/oauth2/token", "is the token endpoint of Confluent"),
        ("http://127.0.0.1:8089/prefix/sts/v1/oauth2/token", "is the token endpoint of Confluent"),
        ("", "does not start with"),
    ],
)
def test_other_token_urls_are_rejected(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}"):
        check_token_url(url)
