"""A server that repeats the credentials it was sent: people and programs see none of it."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from exporter import logs
from exporter.confluent.proxies import proxy_for
from exporter.errors import ConnectionFailed
from exporter.exposition import Format
from exporter.redaction import Redactor
from exporter.simulator import SimulatedServiceAccount
from tests import programs
from tests.harness import API_KEY, Harness
from tests.logged import captured
from tests.web.browser import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

SECRET = "cflt7Nq+Vb2/kLx9TzRw4JmYp+Hd/8sGcUe1oAiQf5Xv3WnKy6BjZtCr0MlPuEhS"
OLD_SECRET = "cfltQ3/wE8rT+yU5iO1pA7sD/fG2hJ9kL+zX4cV6bN0mQqWwEeRrTtYyUuIiOoPp"
PROXY_PASSWORD = "pr0xy-pass/word"


def spellings(secret: str) -> dict[str, str]:
    """Return how a server may repeat ``secret``, each with a part that must not be seen."""
    pair = f"{API_KEY}:{secret}".encode()
    standard, url_safe = base64.b64encode(pair).decode(), base64.urlsafe_b64encode(pair).decode()
    alone = base64.b64encode(secret.encode()).decode()
    return {
        secret: secret[8:20],
        f"Basic {standard}": standard[40:60],
        f"token {standard.rstrip('=')}.": standard[40:60],
        url_safe: url_safe[40:60],
        **{each: each[40:60] for each in map(_inside, (b"\n", b"\n\n"), (pair, pair))},
        alone: alone[20:40],
        quote(secret, safe=""): secret[20:25],
        quote(quote(secret, safe=""), safe=""): secret[20:25],
        json.dumps({"secret": secret}).replace("/", "\\/"): secret[20:25],
        json.dumps(secret).replace("+", "\\u002b"): secret[8:11] + "x9TzRw4JmYp",
    }


def _inside(before: bytes, pair: bytes) -> str:
    return base64.b64encode(before + pair + b"\n").decode()


def leaks(text: str) -> list[str]:
    hidden = [part for each in (SECRET, OLD_SECRET) for part in spellings(each).values()]
    parts = [each[at : at + 5] for each in (SECRET, OLD_SECRET) for at in (8, 16, 30, 45)]
    return [part for part in {*hidden, *parts} if part in text]


class Echo(httpx.AsyncBaseTransport):
    """Refuses every request and repeats its credentials, in the body and as the request's id."""

    def __init__(self, *secrets: str) -> None:
        self._repeated = [spelling for each in secrets for spelling in spellings(each)]
        self.authorizations: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        repeated = self._repeated[len(self.authorizations) % len(self._repeated)]
        authorization = request.headers["authorization"]
        self.authorizations.append(authorization)
        detail = f"not accepted: {repeated} in {authorization} {'.' * 90} {repeated}"
        return httpx.Response(
            401,
            headers={"X-Request-Id": repeated},
            json={"errors": [{"detail": detail}]},
        )


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    with captured(capsys) as log:
        yield log


@pytest.mark.parametrize("form", ["logfmt", "json"])
async def test_repeated_credentials_are_blanked_everywhere(
    form: Literal["logfmt", "json"], written: Callable[[], str]
) -> None:
    logs.set_up(level="debug", form=form)
    harness = Harness(0)
    harness.environ["SECRET"] = OLD_SECRET
    echo = Echo(OLD_SECRET, SECRET)
    harness.wire = echo
    harness.configured()
    for round_ in range(2 * len(spellings(SECRET))):
        if round_ == 1:
            harness.environ["SECRET"] = SECRET
        await harness.exporter.refresh_once()
        failure = harness.state.refreshes["api_keys"].failure
        assert failure is not None
        assert "<redacted>" in failure.message
        assert "<redacted>" in str(failure.request_id)
        seen = {
            "page": await page_of(harness),
            "text": harness.exposition(),
            "openmetrics": harness.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False),
            "check": harness.described(),
        }
        assert {name: leaks(str(text)) for name, text in seen.items() if leaks(str(text))} == {}
    assert echo.authorizations[0] != echo.authorizations[1]
    log = written()
    assert "<redacted>" in log
    assert leaks(log) == []


class Garbage(httpx.AsyncBaseTransport):
    """Gets no answer but the credentials, as the HTTP library quotes them."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError(f"illegal status line: {request.headers['authorization']}")


async def test_a_quoted_status_line_shows_no_credentials() -> None:
    harness = Harness(0)
    harness.environ["SECRET"] = SECRET
    harness.wire = Garbage()
    harness.configured()
    await harness.exporter.refresh_once()
    failure = str(harness.state.refreshes["api_keys"].failure)
    assert "no complete answer: illegal status line: Basic <redacted>. Check" in failure
    assert leaks(failure + await page_of(harness)) == []


async def test_a_name_that_is_the_secret_is_blanked_in_the_metrics() -> None:
    harness = Harness(25, settings="names: {enabled: true}")
    harness.environ["SECRET"] = SECRET
    harness.accounts[0].api_secret = SECRET
    owners = (key.owner.id for key in harness.organization.keys.values() if key.owner)
    owner = next(each for each in owners if each.startswith("sa-"))
    harness.organization.replace(SimulatedServiceAccount(owner, f"was {SECRET}"))
    await harness.exporter.refresh_once()
    labels = {"owner_id": owner, "owner_kind": "service-account", "owner_name": "was <redacted>"}
    assert harness.value("confluent_cloud_owner_info", **labels) == 1
    assert leaks(harness.exposition() + await page_of(harness)) == []


@pytest.mark.integration
@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_check_shows_no_repeated_credentials(tmp_path: Path, form: str) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        repeated = f"{Request(scope).headers['authorization']} {' '.join(spellings(SECRET))}"
        await JSONResponse({"message": repeated}, status_code=403)(scope, receive, send)

    path = tmp_path / "config.yaml"
    environ = {"CONFLUENT_CLOUD_API_KEY": API_KEY, "CONFLUENT_CLOUD_API_SECRET": SECRET}
    with programs.served(refuse) as url:
        path.write_text(f"organizations: [{{name: acme, url: {url}}}]\n")
        flags = ("--log.level=debug", f"--log.format={form}", f"--config.file={path}")
        done = programs.run("check", *flags, environ=environ)
    assert done.returncode == 1
    assert "The API says: Basic <redacted>" in done.stdout
    assert "answered" in done.stderr
    assert leaks(done.stdout + done.stderr) == []


@pytest.mark.parametrize("spelling", [PROXY_PASSWORD, "cHJveHktdXNlcjpwcjB4eS1wYXNzL3dvcmQ="])
def test_the_password_of_a_proxy_is_blanked_too(spelling: str) -> None:
    environ = {"HTTPS_PROXY": f"http://proxy-user:{quote(PROXY_PASSWORD, safe='')}@proxy:3128"}
    proxy_for(httpx.URL("https://api.example"), environ)
    error = ConnectionFailed(f"407 {spelling}", endpoint="/path")
    assert str(error) == "GET /path: 407 <redacted>"


def test_a_body_full_of_backslashes_takes_no_longer_than_another() -> None:
    body = b"\\" * 300_000 + b" plus-secret-1"
    began = time.process_time()
    assert Redactor("+plus-secret-1").data(body) == body
    assert time.process_time() - began < 1
