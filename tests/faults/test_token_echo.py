"""A server that repeats the tokens and the client secret it was sent: nobody sees any of them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, quote

import httpx
import pytest

from exporter import logs
from exporter.exposition import Format
from exporter.simulator import IDENTITY_PROVIDER_PATH, STS_PATH, SimulatedServiceAccount
from tests.harness import API_KEYS
from tests.logged import captured
from tests.pools import PoolHarness
from tests.web.browser import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CLIENT_SECRET = "Zx8~Q/client+secret/7Lk2=Wq9Rt4Yp0Bv6"
OPAQUE = {
    IDENTITY_PROVIDER_PATH: "subj3ct-Tok3n_of~the/provider+" + "0fA9-" * 300 + "end==",
    STS_PATH: "b3arer-Tok3n_of~the/sts+" + "7cE4_" * 300 + "end==",
}
"""Tokens that do not look like a JWT."""


def spellings(secret: str) -> list[str]:
    data = secret.encode()
    return [
        secret,
        f"Bearer {secret}",
        quote(secret, safe=""),
        quote(quote(secret, safe=""), safe=""),
        json.dumps(secret).replace("/", "\\/").replace("+", "\\u002b"),
        *(base64.b64encode(b"x" * number + data).decode() for number in range(3)),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
    ]


def parts(secret: str) -> set[str]:
    """Return what must not be seen of ``secret``: characters of it in any encoding."""
    return {each[at : at + 8] for each in spellings(secret) for at in (10, 20)}


class Echo(httpx.AsyncBaseTransport):
    """Issues opaque tokens; answers requests to ``path`` with all secrets that it was ever sent."""

    def __init__(self, path: str, status: int) -> None:
        self._path, self._status = path, status
        self.secrets: set[str] = set()
        self._echoed = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        form = parse_qs((await request.aread()).decode())
        for name in ("client_secret", "subject_token"):
            self.secrets.update(form.get(name, ()))
        if "authorization" in request.headers:
            self.secrets.add(request.headers["authorization"].removeprefix("Bearer "))
        if path != self._path:
            assert path in OPAQUE
            return httpx.Response(200, json={"access_token": OPAQUE[path], "token_type": "Bearer"})
        repeated = [spelling for each in sorted(self.secrets) for spelling in spellings(each)]
        one = repeated[self._echoed % len(repeated)]
        self._echoed += 1
        return httpx.Response(
            self._status,
            headers={
                "X-Request-Id": one,
                "X-RateLimit-Remaining": one,
                "Location": f"https://elsewhere.invalid/?token={quote(one)}",
            },
            json={
                "errors": [{"detail": f"no: {one}"}],
                "error": one,
                "access_token": f"{one}\n",
                "token_type": one,
                "metadata": {"next": f"https://elsewhere.invalid/?page_token={quote(one)}"},
                "data": [{"id": one, "spec": {"display_name": one}}],
            },
        )


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    with captured(capsys) as log:
        yield log


@pytest.mark.parametrize("status", [200, 307, 400, 401, 403, 404, 500])
@pytest.mark.parametrize("path", [IDENTITY_PROVIDER_PATH, STS_PATH, API_KEYS])
@pytest.mark.parametrize("subject", ["file", "client"])
async def test_repeated_tokens_are_redacted_everywhere(
    tmp_path: Path,
    written: Callable[[], str],
    subject: Literal["file", "client"],
    path: str,
    status: int,
) -> None:
    logs.set_up(level="debug")
    harness = PoolHarness(tmp_path, subject=subject)
    harness.write_secret(CLIENT_SECRET)
    echo = harness.wire = Echo(path, status)
    harness.configured()
    seen: dict[str, str] = {}
    for number in range(30):
        await harness.exporter.refresh_once()
        await harness.clock.sleep(900)
        seen[f"failure {number}"] = str(harness.state.prioritized.failure)
        seen[f"page {number}"] = await page_of(harness)
    seen |= {
        "text": harness.exposition(),
        "openmetrics": harness.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False).decode(),
        "check": harness.described(),
        "log": written(),
    }
    if subject == "file" and path == IDENTITY_PROVIDER_PATH:
        assert not echo.secrets & {*OPAQUE}  # no provider is asked
        return
    assert echo.secrets
    hidden = set().union(*map(parts, echo.secrets))
    found = {name: part for name, text in seen.items() for part in hidden if part in text}
    assert found == {}


async def test_a_name_that_is_a_token_is_redacted_in_the_metrics(tmp_path: Path) -> None:
    harness = PoolHarness(tmp_path, settings="names: {enabled: true, refresh_interval: 2m}")
    await harness.exporter.refresh_once()
    form = parse_qs(next(each for each in harness.sent if each.content).content.decode())
    (subject_token,) = form["subject_token"]
    bearer = harness.sent[-1].headers["authorization"].removeprefix("Bearer ")
    owners = {key.owner.id for key in harness.organization.keys.values() if key.owner}
    first, second, *_ = (each for each in sorted(owners) if each.startswith("sa-"))
    harness.organization.replace(SimulatedServiceAccount(first, f"was {subject_token}"))
    harness.organization.replace(SimulatedServiceAccount(second, f"was {bearer}"))
    await harness.clock.sleep(120)
    await harness.exporter.refresh_once()
    for owner in (first, second):
        name = {"owner_kind": "service-account", "owner_name": "was <redacted>"}
        assert harness.value("confluent_cloud_owner_info", owner_id=owner, **name) == 1
