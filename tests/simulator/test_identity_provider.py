from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.simulator import IDENTITY_PROVIDER_PATH, IdentityProvider, Simulator
from exporter.simulator.rate_limit import Tally
from tests.jwts import content_of
from tests.simulator.tokens import CLIENT, CLIENT_SECRET, ISSUER, Keyless
from tests.virtual_time import EPOCH, FakeClock

if TYPE_CHECKING:
    import httpx


def code(response: httpx.Response) -> str:
    content: dict[str, str] = response.json()
    assert content.keys() == {"error", "error_description"}
    return content["error"]


async def test_a_client_gets_a_signed_token_that_the_sts_accepts() -> None:
    keyless = Keyless()

    response = await keyless.log_in()
    token = response.json()["access_token"]

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json() == {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
    header, claims, _ = token.split(".")
    assert content_of(header) == {"alg": "HS256", "typ": "JWT"}
    content = content_of(claims)
    assert len(bytes.fromhex(content.pop("jti"))) == 8
    assert content == {
        "iss": ISSUER,
        "sub": CLIENT,
        "aud": "confluent-cloud",
        "iat": int(EPOCH),
        "exp": int(EPOCH) + 3600,
    }
    exchange = await keyless.exchange(subject_token=token, identity_pool_id="pool-2")
    assert exchange.status_code == 200


async def test_each_token_has_an_id_of_its_own() -> None:
    keyless = Keyless()

    tokens = [(await keyless.log_in()).json()["access_token"] for _ in range(2)]

    assert len({content_of(token.split(".")[1])["jti"] for token in tokens}) == 2


async def test_a_token_for_a_file_has_the_given_claims() -> None:
    provider = IdentityProvider(issuer=ISSUER, clock=FakeClock(), audience="usual")

    chosen, default = [
        content_of(token.split(".")[1])
        for token in (
            provider.token(subject="me", audience="you", lifetime=600),
            provider.token(subject="me"),
        )
    ]

    assert (chosen["sub"], chosen["aud"], chosen["exp"]) == ("me", "you", int(EPOCH) + 600)
    assert (default["aud"], default["exp"]) == ("usual", int(EPOCH) + 3600)


async def test_a_client_may_use_basic_authentication_with_encoded_credentials() -> None:
    keyless = Keyless()
    encoded = "the+secret%2Fof%2Bthe+client"

    good = await keyless.log_in((CLIENT, encoded), client_id=None, client_secret=None)
    bad = await keyless.log_in((CLIENT, "wrong"), client_id=None, client_secret=None)
    both = await keyless.log_in((CLIENT, encoded))

    assert good.status_code == 200
    assert (bad.status_code, code(bad)) == (401, "invalid_client")
    assert bad.headers["WWW-Authenticate"].startswith("Basic ")
    assert (both.status_code, code(both)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": "é"}, 401, "invalid_client"),
    ],
)
async def test_an_invalid_request_is_an_error_of_oauth(
    changes: dict[str, str | None], status: int, error: str
) -> None:
    response = await Keyless().log_in(**changes)

    assert (response.status_code, code(response)) == (status, error)
    assert "WWW-Authenticate" not in response.headers
    assert CLIENT_SECRET not in response.text


async def test_only_known_scopes_may_be_asked_for() -> None:
    clock = FakeClock()
    keyless = Keyless()
    limited = IdentityProvider(
        issuer=ISSUER, clients={CLIENT: CLIENT_SECRET}, clock=clock, scopes=["read", "write"]
    )
    assert (await keyless.log_in(scope="anything at all")).status_code == 200
    keyless.simulator = Simulator([], clock=clock, identity_providers=[limited])

    responses = [await keyless.log_in(scope=scope) for scope in (None, "write read", "read admin")]

    assert [response.status_code for response in responses] == [200, 200, 400]
    assert code(responses[-1]) == "invalid_scope"


async def test_the_secret_of_a_client_can_be_changed() -> None:
    keyless = Keyless()

    keyless.provider.clients[CLIENT] = "rotated"

    assert (await keyless.log_in()).status_code == 401
    assert (await keyless.log_in(client_secret="rotated")).status_code == 200


async def test_the_client_id_decides_between_providers() -> None:
    clock = FakeClock()
    providers = [
        IdentityProvider(issuer=f"https://{name}.example.com", clients={name: name}, clock=clock)
        for name in ("one", "two")
    ]
    keyless = Keyless()
    keyless.simulator = Simulator([], clock=clock, identity_providers=providers)

    response = await keyless.log_in(client_id="two", client_secret="two")
    crossed = await keyless.log_in(client_id="two", client_secret="one")

    assert content_of(response.json()["access_token"].split(".")[1])["iss"] == (
        "https://two.example.com"
    )
    assert crossed.status_code == 401
    with pytest.raises(ValueError, match="a client with the same id"):
        Simulator([], clock=clock, identity_providers=[providers[0], providers[0]])


async def test_a_malformed_request_is_an_error_of_oauth() -> None:
    async with Keyless().client() as client:
        get = await client.get(IDENTITY_PROVIDER_PATH)
        json = await client.post(IDENTITY_PROVIDER_PATH, json={})
        large = await client.post(IDENTITY_PROVIDER_PATH, data={"x": "a" * 70_000})

    assert [each.status_code for each in (get, json, large)] == [405, 415, 413]
    assert get.headers["Allow"] == "POST"
    assert {code(each) for each in (get, json, large)} == {"invalid_request"}


async def test_the_provider_has_no_rate_limit_of_the_organization() -> None:
    keyless = Keyless()

    response = await keyless.log_in()

    assert not [name for name in response.headers if name.startswith("x-ratelimit")]
    assert keyless.simulator.window(keyless.organization).tally("pool-1") == Tally(0, 0)
    assert keyless.simulator.window(keyless.organization).windows() == {}
    (request,) = keyless.simulator.requests
    assert (request.account, request.authorized, request.status) == (None, False, 200)
    assert CLIENT_SECRET not in repr(keyless.simulator.requests)


def test_a_provider_does_not_print_the_secrets_of_its_clients() -> None:
    provider = IdentityProvider(issuer=ISSUER, clients={CLIENT: CLIENT_SECRET}, clock=FakeClock())

    assert CLIENT_SECRET not in repr(provider)
