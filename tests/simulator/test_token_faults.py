"""Faults of the token endpoints, and of the API for bearer tokens."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

from exporter.simulator import (
    IDENTITY_PROVIDER_PATH,
    STS_PATH,
    Fault,
    SimulatedRateLimit,
    parse_fault,
)
from tests.simulator.helpers import ask
from tests.simulator.tokens import Keyless

ENDPOINTS = pytest.mark.parametrize("path", [STS_PATH, IDENTITY_PROVIDER_PATH])


async def requested(keyless: Keyless, path: str) -> httpx.Response:
    return await (keyless.exchange() if path == STS_PATH else keyless.log_in())


async def test_faults_for_token_endpoints_can_be_parsed() -> None:
    assert parse_fault(f"expires-in:zero:0.5@{STS_PATH}") == Fault(
        "expires-in", 0.5, value="zero", path=STS_PATH
    )
    assert parse_fault(f"429:5s@{IDENTITY_PROVIDER_PATH}") == Fault(
        "429", seconds=5.0, path=IDENTITY_PROVIDER_PATH
    )
    with pytest.raises(ValueError, match="'soon' is neither an argument of expires-in"):
        parse_fault("expires-in:soon")


@ENDPOINTS
@pytest.mark.parametrize(
    ("spec", "field", "value"),
    [
        ("expires-in", "expires_in", str),
        ("expires-in:string", "expires_in", str),
        ("expires-in:zero", "expires_in", 0),
        ("expires-in:negative", "expires_in", -1),
        ("expires-in:null", "expires_in", None),
        ("expires-in:missing", "expires_in", KeyError),
        ("token-type", "token_type", "MAC"),
        ("no-access-token", "access_token", KeyError),
    ],
)
async def test_a_fault_changes_a_field_of_the_token(
    path: str, spec: str, field: str, value: object
) -> None:
    usual = (await requested(Keyless(), path)).json()
    response = await requested(Keyless(f"{spec}@{path}"), path)
    changed: dict[str, Any] = response.json()

    assert response.status_code == 200
    if value is KeyError:
        assert field not in changed
    else:
        assert changed[field] == (str(usual[field]) if value is str else value)
    assert {*usual} - {field} == {*changed} - {field}


@ENDPOINTS
async def test_extra_fields_do_not_change_the_others(path: str) -> None:
    usual = (await requested(Keyless(), path)).json()

    changed = (await requested(Keyless("extra-fields"), path)).json()

    assert {*changed} - {*usual} == {"refresh_expires_in", "not-before-policy"}
    assert changed["expires_in"] == usual["expires_in"]


async def test_refused_is_a_400_of_either_endpoint_only() -> None:
    keyless = Keyless("refused")

    exchange, login = await keyless.exchange(), await keyless.log_in()

    assert (exchange.status_code, login.status_code) == (400, 400)
    assert exchange.json()["errors"][0]["detail"] == "The token is refused."
    assert login.json()["error"] == "unauthorized_client"
    assert (await ask(keyless.simulator)).status_code == 200


@pytest.mark.parametrize(
    ("spec", "status", "error"),
    [
        ("401", 401, "invalid_client"),
        ("403", 403, "access_denied"),
        ("500", 500, "server_error"),
    ],
)
async def test_an_error_has_the_envelope_of_its_endpoint(
    spec: str, status: int, error: str
) -> None:
    exchange = await Keyless(f"{spec}@{STS_PATH}").exchange()
    login = await Keyless(f"{spec}@{IDENTITY_PROVIDER_PATH}").log_in()

    assert (exchange.status_code, login.status_code) == (status, status)
    assert exchange.json()["errors"][0]["status"] == str(status)
    assert login.json()["error"] == error


@ENDPOINTS
async def test_the_other_faults_work_at_token_endpoints(path: str) -> None:
    async def faulty(spec: str) -> httpx.Response:
        return await requested(Keyless(f"{spec}@{path}"), path)

    assert (await faulty("429:7s")).headers["Retry-After"] == "7"
    assert (await faulty("html502")).status_code == 502
    assert (await faulty("array")).json() == []
    assert (await faulty("redirect")).headers["Location"] == f"https://api.confluent.cloud{path}"
    assert (await faulty("redirect:foreign")).headers["Location"] == (
        f"https://elsewhere.invalid{path}"
    )
    compressed = await faulty("gzip-error")
    assert compressed.status_code == 500
    assert json.loads(gzip.decompress(compressed.content))
    with pytest.raises(json.JSONDecodeError):
        (await faulty("truncated")).json()
    with pytest.raises(httpx.ReadError):
        await faulty("reset")


@ENDPOINTS
async def test_slow_delays_a_token(path: str) -> None:
    keyless = Keyless(f"slow:3s@{path}")

    assert (await requested(keyless, path)).status_code == 200
    assert keyless.clock.monotonic() == 3.0


async def test_faults_of_the_headers_work_at_the_sts() -> None:
    limit = SimulatedRateLimit(10, 60)
    bare = await Keyless("no-headers", rate_limit=limit).exchange()
    garbled = await Keyless("garbled-headers", rate_limit=limit).exchange()

    assert not [name for name in bare.headers if name.startswith("x-ratelimit")]
    assert garbled.headers["X-RateLimit-Remaining"] == "few"


async def test_a_fault_of_one_endpoint_leaves_the_others_alone() -> None:
    keyless = Keyless(f"500@{STS_PATH}")

    assert (await keyless.exchange()).status_code == 500
    assert (await keyless.log_in()).status_code == 200
    assert (await ask(keyless.simulator)).status_code == 200


async def test_a_revoked_token_stays_revoked_and_a_new_one_works() -> None:
    keyless = Keyless()
    token = await keyless.bearer_token()
    assert (await keyless.list_keys(token)).status_code == 200
    keyless.simulator.script(2, "revoked", path="/iam/v2/api-keys")

    first, second = [await keyless.list_keys(token) for _ in range(2)]
    third = await keyless.list_keys(await keyless.bearer_token())

    assert [each.status_code for each in (first, second, third)] == [401, 401, 200]
    assert 'error="invalid_token"' in first.headers["WWW-Authenticate"]


async def test_revoked_does_not_affect_api_keys_and_exchanges() -> None:
    keyless = Keyless("revoked")

    assert (await keyless.exchange()).status_code == 200
    assert (await ask(keyless.simulator)).status_code == 200
