from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import (
    STS_PATH,
    Account,
    ApiOptions,
    IdentityPool,
    IdentityProvider,
    SimulatedOrganization,
    SimulatedRateLimit,
    Simulator,
)
from exporter.simulator.rate_limit import Tally
from tests.jwts import part
from tests.simulator.helpers import SECRET, some_keys
from tests.simulator.tokens import ISSUER, SUBJECT, Keyless
from tests.virtual_time import EPOCH, FakeClock

if TYPE_CHECKING:
    from starlette.types import Message


def detail(response: Any) -> str:
    (error,) = response.json()["errors"]
    text: str = error["detail"]
    return text


async def test_a_token_is_exchanged_for_a_bearer_token_that_lists_the_keys() -> None:
    keyless = Keyless()

    exchange = await keyless.exchange()
    token = exchange.json()["access_token"]
    listing = await keyless.list_keys(token)

    assert exchange.status_code == 200
    assert exchange.json() == {
        "access_token": token,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 900,
    }
    assert exchange.headers["Cache-Control"] == "no-store"
    assert len(exchange.headers["X-Request-Id"]) == 32
    assert token.count(".") == 2
    assert listing.status_code == 200
    assert [item["id"] for item in listing.json()["data"]] == ["K001", "K002", "K003"]


async def test_every_exchange_issues_another_token() -> None:
    keyless = Keyless()

    first, second = [await keyless.bearer_token() for _ in range(2)]

    assert first != second
    assert [(await keyless.list_keys(token)).status_code for token in (first, second)] == [200] * 2


@pytest.mark.parametrize(
    ("lifetime", "expires_in", "seconds"),
    [(900, None, 900), (60, None, 60), (60, "30", 30), (60, "900", 60), (900, "1", 1)],
)
async def test_a_bearer_token_is_valid_until_its_end(
    lifetime: int, expires_in: str | None, seconds: int
) -> None:
    keyless = Keyless(options=ApiOptions(token_lifetime=lifetime))
    exchange = await keyless.exchange(expires_in=expires_in)
    token = exchange.json()["access_token"]

    assert exchange.json()["expires_in"] == seconds
    await keyless.clock.sleep(seconds - 0.5)
    assert (await keyless.list_keys(token)).status_code == 200
    await keyless.clock.sleep(0.5)
    late = await keyless.list_keys(token)
    assert late.status_code == 401
    assert late.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert late.json()["errors"][0]["detail"] == "Unauthorized"


async def test_a_longer_configured_lifetime_is_cut_to_900_seconds() -> None:
    keyless = Keyless(options=ApiOptions(token_lifetime=3600))

    assert (await keyless.exchange()).json()["expires_in"] == 900


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("grant_type", None, "The field grant_type is missing."),
        ("grant_type", "", "The field grant_type is missing."),
        (
            "grant_type",
            "client_credentials",
            "The field grant_type is not urn:ietf:params:oauth:grant-type:token-exchange.",
        ),
        ("subject_token", None, "The field subject_token is missing."),
        ("subject_token", "no token", "The token is not a JSON web token."),
        ("subject_token", "a.b.c", "The header of the token cannot be read."),
        ("identity_pool_id", None, "The field identity_pool_id is missing."),
        ("identity_pool_id", "pool-9", "There is no identity pool with this id."),
        ("subject_token_type", None, "The field subject_token_type is missing."),
        (
            "subject_token_type",
            "jwt",
            "The field subject_token_type is not urn:ietf:params:oauth:token-type:jwt.",
        ),
        ("requested_token_type", None, "The field requested_token_type is missing."),
        (
            "requested_token_type",
            "token",
            "The field requested_token_type is not urn:ietf:params:oauth:token-type:access_token.",
        ),
        ("expires_in", "0", "The field expires_in is not 1 to 900."),
        ("expires_in", "901", "The field expires_in is not 1 to 900."),
        ("expires_in", "-5", "The field expires_in is not 1 to 900."),
        ("expires_in", "soon", "The field expires_in is not 1 to 900."),
        ("expires_in", "9" * 5000, "The field expires_in is not 1 to 900."),
    ],
)
async def test_an_invalid_field_is_a_400_that_names_it(
    field: str, value: str | None, expected: str
) -> None:
    response = await Keyless().exchange(**{field: value})

    assert response.status_code == 400
    assert detail(response) == expected
    (error,) = response.json()["errors"]
    assert error["source"] == {"parameter": field}
    assert error["id"] == response.headers["X-Request-Id"]


async def test_a_token_is_refused_for_its_claims() -> None:
    keyless = Keyless()
    good = keyless.provider.token(subject=SUBJECT)
    elsewhere = IdentityProvider(issuer="https://other.example.com", clock=keyless.clock)
    impostor = IdentityProvider(issuer=ISSUER, clock=keyless.clock)
    tokens = {
        "The issuer of the token is not that of pool-1.": elsewhere.token(subject=SUBJECT),
        "The signature of the token is not valid.": impostor.token(subject=SUBJECT),
        "The subject of the token does not match pool-1.": keyless.provider.token(
            subject="system:serviceaccount:default:default"
        ),
        "The audience of the token does not match pool-1.": keyless.provider.token(
            subject=SUBJECT, audience="https://kubernetes.default.svc"
        ),
        "The algorithm of the token is not HS256.": ".".join(
            [part({"alg": "none"}), good.split(".")[1], ""]
        ),
        "The token has no claim exp.": keyless.signed({"iss": ISSUER, "sub": SUBJECT}),
        "The claims of the token cannot be read.": ".".join(
            [good.split(".")[0], part({"exp": "soon"}), "x"]
        ),
    }
    for expected, token in tokens.items():
        response = await keyless.exchange(subject_token=token)
        assert (response.status_code, detail(response)) == (400, expected)
        assert token not in response.text


async def test_changed_claims_invalidate_the_signature() -> None:
    keyless = Keyless()
    header, _, signature = keyless.provider.token(subject="somebody").split(".")
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": "confluent-cloud", "exp": EPOCH + 60}

    response = await keyless.exchange(subject_token=".".join([header, part(claims), signature]))

    assert detail(response) == "The signature of the token is not valid."


async def test_the_end_of_a_subject_token_is_compared_with_the_wall_clock() -> None:
    keyless = Keyless()
    token = keyless.provider.token(subject=SUBJECT, lifetime=600)

    await keyless.clock.sleep(599)
    assert (await keyless.exchange(subject_token=token)).status_code == 200
    await keyless.clock.sleep(1)
    late = await keyless.exchange(subject_token=token)
    assert (late.status_code, detail(late)) == (400, "The token has expired.")
    keyless.clock.jump(-3600)
    assert (await keyless.exchange(subject_token=token)).status_code == 200


async def test_a_jump_of_the_wall_clock_does_not_end_a_bearer_token() -> None:
    keyless = Keyless()
    token = await keyless.bearer_token()

    keyless.clock.jump(86_400)

    assert (await keyless.list_keys(token)).status_code == 200


async def test_a_pool_without_a_filter_accepts_every_token_of_its_issuer() -> None:
    keyless = Keyless()
    token = keyless.provider.token(subject="anybody", audience="anything")

    response = await keyless.exchange(subject_token=token, identity_pool_id="pool-2")

    assert response.status_code == 200


async def test_one_of_several_audiences_is_enough() -> None:
    keyless = Keyless()
    claims = {"iss": ISSUER, "sub": SUBJECT, "exp": EPOCH + 60}
    statuses = []
    for audience in (["other", "confluent-cloud"], ["other"], []):
        token = keyless.signed({**claims, "aud": audience})
        statuses.append((await keyless.exchange(subject_token=token)).status_code)

    assert statuses == [200, 400, 400]


async def test_revoked_tokens_are_refused_and_new_ones_are_not() -> None:
    keyless = Keyless()
    first = await keyless.bearer_token()
    other = await keyless.bearer_token(identity_pool_id="pool-2")

    keyless.simulator.revoke_tokens("pool-1")
    second = await keyless.bearer_token()

    statuses = [(await keyless.list_keys(token)).status_code for token in (first, other, second)]
    assert statuses == [401, 200, 200]


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "Bearer abc"])
async def test_an_unknown_bearer_token_is_a_401(token: str) -> None:
    response = await Keyless().list_keys(token)

    assert response.status_code == 401


async def test_a_subject_token_is_no_bearer_token() -> None:
    keyless = Keyless()

    response = await keyless.list_keys(keyless.provider.token(subject=SUBJECT))

    assert response.status_code == 401


async def test_the_rights_of_a_pool_are_those_of_its_account() -> None:
    keyless = Keyless()
    token = await keyless.bearer_token()

    keyless.account.visible = lambda key: key.id == "K002"
    assert [item["id"] for item in (await keyless.list_keys(token)).json()["data"]] == ["K002"]
    keyless.account.role = "none"
    assert (await keyless.list_keys(token)).status_code == 403


async def test_exchanges_and_listings_share_the_window_of_the_organization() -> None:
    keyless = Keyless(rate_limit=SimulatedRateLimit(3, 60))

    exchange = await keyless.exchange()
    listing = await keyless.list_keys(exchange.json()["access_token"])
    keyless.simulator.window(keyless.organization).spend(1)
    refused = await keyless.exchange()

    assert [each.status_code for each in (exchange, listing, refused)] == [200, 200, 429]
    assert exchange.headers["X-RateLimit-Remaining"] == "2"
    assert listing.headers["X-RateLimit-Remaining"] == "1"
    assert refused.headers["Retry-After"] == "60"
    assert refused.content == b""
    windows = keyless.simulator.window(keyless.organization).windows()
    assert windows == {0: {"pool-1": Tally(2, 1), "others": Tally(1, 0)}}


async def test_an_exchange_for_an_unknown_pool_is_counted_for_nobody() -> None:
    keyless = Keyless(rate_limit=SimulatedRateLimit(1, 60))

    response = await keyless.exchange(identity_pool_id="pool-9")

    assert response.status_code == 400
    assert keyless.simulator.window(keyless.organization).windows() == {}
    assert keyless.simulator.requests[0].account is None


async def test_requests_are_recorded_without_tokens() -> None:
    keyless = Keyless()
    fields = keyless.fields()
    token = await keyless.bearer_token(**fields)
    await keyless.list_keys(token)

    exchange, listing = keyless.simulator.requests
    assert (exchange.method, exchange.path, exchange.status) == ("POST", STS_PATH, 200)
    assert (exchange.account, exchange.authorized) == ("pool-1", False)
    assert (listing.account, listing.authorized, listing.status) == ("pool-1", True, 200)
    recorded = repr(keyless.simulator.requests)
    assert token not in recorded
    assert str(fields["subject_token"]) not in recorded


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_is_allowed(method: str) -> None:
    async with Keyless().client() as client:
        response = await client.request(method, STS_PATH)

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


FORM = "application/x-www-form-urlencoded"
NOT_A_FORM = f"The Content-Type is not {FORM}."
MALFORMED = "The form is malformed or has too many fields."
INCOMPLETE = "The field grant_type is missing."


@pytest.mark.parametrize(
    ("body", "media_type", "status", "expected"),
    [
        pytest.param(b"{}", "application/json", 415, NOT_A_FORM, id="json"),
        pytest.param(b"grant_type=a", "", 415, NOT_A_FORM, id="no media type"),
        pytest.param(b"a=1&a=2", FORM, 400, "The form has a field more than once.", id="repeated"),
        pytest.param(b"grant_type=\xff", FORM, 400, MALFORMED, id="not utf-8"),
        pytest.param(b"grant_type=%FF", FORM, 400, MALFORMED, id="escaped, not utf-8"),
        pytest.param(b"", FORM, 400, INCOMPLETE, id="empty"),
        pytest.param(b"&".join(b"f%d=1" % n for n in range(33)), FORM, 400, MALFORMED, id="many"),
        pytest.param(b"x=" + b"a" * 65_534, FORM, 400, INCOMPLETE, id="64 KiB"),
        pytest.param(
            b"x=" + b"a" * 65_535, FORM, 413, "The form is larger than 65536 bytes.", id="larger"
        ),
    ],
)
async def test_a_body_that_is_not_a_small_form_is_refused(
    body: bytes, media_type: str, status: int, expected: str
) -> None:
    async with Keyless().client() as client:
        response = await client.post(STS_PATH, content=body, headers={"Content-Type": media_type})

    assert (response.status_code, detail(response)) == (status, expected)
    assert response.json()["errors"][0]["status"] == str(status)


async def test_a_form_that_is_not_complete_after_ten_seconds_is_refused() -> None:
    keyless = Keyless()
    messages: list[Message] = []
    answers = iter([{"type": "http.request", "body": b"grant_type=", "more_body": True}])

    async def receive() -> Message:
        for message in answers:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        messages.append(message)

    headers = [(b"content-type", FORM.encode())]
    scope = {"type": "http", "method": "POST", "scheme": "http", "path": STS_PATH}
    began = asyncio.get_running_loop().time()
    await keyless.simulator({**scope, "query_string": b"", "headers": headers}, receive, send)

    assert asyncio.get_running_loop().time() - began == 10
    assert messages[0]["status"] == 408


async def test_a_media_type_may_have_parameters() -> None:
    keyless = Keyless()
    async with keyless.client() as client:
        response = await client.post(
            STS_PATH,
            data=keyless.fields(),
            headers={"Content-Type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8"},
        )

    assert response.status_code == 200


async def test_the_endpoints_have_the_path_prefix() -> None:
    keyless = Keyless(options=ApiOptions(path_prefix="/api"))

    assert (await keyless.exchange(f"/api{STS_PATH}")).status_code == 200
    assert (await keyless.exchange()).status_code == 401


async def test_pools_have_their_own_organizations() -> None:
    clock = FakeClock()
    provider = IdentityProvider(issuer=ISSUER, clock=clock)
    accounts = [
        Account(f"KEY{n}", SECRET, SimulatedOrganization(some_keys(n), seed=n)) for n in (1, 2)
    ]
    keyless = Keyless()
    keyless.simulator = Simulator(
        [],
        clock=clock,
        identity_providers=[provider],
        pools=[IdentityPool(f"pool-{n}", each, ISSUER) for n, each in enumerate(accounts, 1)],
    )
    sizes = []
    for pool in ("pool-1", "pool-2"):
        token = await keyless.bearer_token(
            identity_pool_id=pool, subject_token=provider.token(subject=SUBJECT)
        )
        sizes.append(len((await keyless.list_keys(token)).json()["data"]))

    assert sizes == [1, 2]


def test_ambiguous_pools_and_issuers_are_rejected() -> None:
    clock = FakeClock()
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization())
    twin = Account("OTHER", SECRET, SimulatedOrganization())
    provider = IdentityProvider(issuer=ISSUER, clock=clock)

    def simulator(providers: list[IdentityProvider], pools: list[IdentityPool]) -> Simulator:
        return Simulator([account], clock=clock, identity_providers=providers, pools=pools)

    pool = IdentityPool("pool-1", account, ISSUER)
    with pytest.raises(ValueError, match="two identity pools have the id pool-1"):
        simulator([provider], [pool, IdentityPool("pool-1", account, ISSUER)])
    with pytest.raises(ValueError, match="two identity providers have the issuer https"):
        simulator([provider, IdentityProvider(issuer=ISSUER, clock=clock)], [pool])
    with pytest.raises(ValueError, match=f"no identity provider is the issuer {ISSUER} of pool-1"):
        simulator([], [pool])
    with pytest.raises(ValueError, match="vary the seed"):
        simulator([provider], [IdentityPool("pool-1", twin, ISSUER)])


async def test_only_the_latest_10000_tokens_are_valid() -> None:
    keyless = Keyless()
    form = {name: str(text) for name, text in keyless.fields().items()}
    service = keyless.simulator._sts

    def issue() -> str:
        response = service.respond(form, "", faults=[], lifetime=900)
        token: str = json.loads(response.body)["access_token"]
        return token

    first, second = issue(), issue()
    for _ in range(9_999):
        issue()

    assert service.authenticate(first) is None
    assert service.authenticate(second) is not None
    await keyless.clock.sleep(900)
    issue()
    assert len(service._tokens) == 1
