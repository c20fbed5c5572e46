"""Tokens of an identity pool: when they are exchanged, used, and what a refusal means."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

import httpx
import pytest

from exporter.confluent.credentials import TokenStatus
from exporter.confluent.hosts import HostFactory
from exporter.confluent.request import Request
from exporter.confluent.trust import TrustStore
from exporter.errors import (
    ApiError,
    CredentialsError,
    Forbidden,
    IdentityProviderFailed,
    InvalidResponse,
    NotFound,
    OutOfBudget,
    RequestTimeout,
    ServerError,
    TokenRefused,
    TokenUnreadable,
    Unauthorized,
)
from tests.confluent.test_host import Recorder
from tests.harness import configuration
from tests.jwts import jwt
from tests.virtual_time import EPOCH, FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.confluent.request import Budget

URL = "https://api.example.invalid"
TOKEN_URL = "https://idp.example.invalid/tenant/token"
STS = "/sts/v1/oauth2/token"
IDP = "/tenant/token"
LISTING = Request("/iam/v2/api-keys")
SUBJECT = jwt({"iss": "https://idp", "aud": "confluent", "sub": "exporter"})


def token(number: int, expires_in: object = 900, **members: object) -> httpx.Response:
    body = {"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": expires_in}
    return httpx.Response(200, content=json.dumps({**body, **members}))


OK = httpx.Response(200, content=b"{}")


def write(path: Path, text: str) -> None:
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


class ScriptedApi:
    """Answers requests, each path with its own answers in turn; the last one again and again.

    Without answers, the token endpoints issue numbered tokens of ``lifetime`` seconds, and the API
    accepts everything. ``delay``: seconds, by path.
    """

    def __init__(self, lifetime: object = 900) -> None:
        self.lifetime = lifetime
        self.answers: dict[str, list[httpx.Response | Exception]] = {}
        self.delay: dict[str, float] = {}
        self.requests: list[tuple[str, httpx.Request]] = []
        self._issued = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append((path, request))
        await request.aread()
        await asyncio.sleep(self.delay.get(path, 0))
        given = self.answers.get(path)
        if given:
            answer = given.pop(0) if len(given) > 1 else given[0]
        elif request.method == "POST" and path != "/query":
            self._issued += 1
            answer = token(self._issued, self.lifetime)
        else:
            answer = OK
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def used(self) -> list[str]:
        """Return what authenticated the requests to the API."""
        return [
            each.headers["authorization"] for path, each in self.requests if path not in {STS, IDP}
        ]

    def form(self, path: str) -> dict[str, list[str]]:
        """Return the form of the latest request to ``path``."""
        found = [request for each, request in self.requests if each == path]
        return parse_qs(found[-1].content.decode(), strict_parsing=True)


class CountingTransport(httpx.MockTransport):
    """Counts how often it is closed. Each host closes it as if it were its own."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


class PoolHost:
    """The host of an organization with an identity pool. ``api`` answers its requests."""

    def __init__(self, credentials: str, api: ScriptedApi) -> None:
        self.clock, self.observer, self.api = FakeClock(), Recorder(), api
        self.transport = CountingTransport(api)
        (organization,) = configuration(
            url=URL, credentials=lambda _: f"{{identity_pool: pool-abc, {credentials}}}"
        ).organizations
        self.host = HostFactory(
            organization,
            clock=self.clock,
            observer=self.observer,
            random=Random(0),
            trusts=TrustStore({}),
            transport=self.transport,
        ).create()["api"]

    async def begin(self) -> Budget:
        return await self.host.begin(timeout=300)

    async def list(self) -> None:
        await self.host.send(LISTING, await self.begin())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(SUBJECT + "\n")
    return path


@pytest.fixture
def with_file(file: Path) -> Callable[..., PoolHost]:
    """Return a function that creates the host of a pool with a token file."""
    return lambda lifetime=900: PoolHost(f"token_file: {file}", ScriptedApi(lifetime))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("client+secret/with=chars")
    return path


@pytest.fixture
def with_client(secret: Path) -> Callable[..., PoolHost]:
    """Return a function that creates the host of a pool with a client."""

    def create(
        lifetime: object = 900, *, client: str = "the-client", scope: str | None = None
    ) -> PoolHost:
        oauth = f"token_url: {TOKEN_URL}, client_id: {client}, client_secret_file: {secret}"
        if scope:
            oauth += f", scope: '{scope}'"
        return PoolHost(f"oauth: {{{oauth}}}", ScriptedApi(lifetime))

    return create


async def test_the_token_of_the_file_is_exchanged_as_the_sts_documents(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file()
    assert one.host.credentials.token_status == TokenStatus("pool-abc", None)
    await one.list()
    assert one.api.paths() == [STS, "/iam/v2/api-keys"]
    exchange = one.api.requests[0][1]
    assert exchange.method == "POST"
    assert "authorization" not in exchange.headers
    assert exchange.headers["content-type"] == "application/x-www-form-urlencoded"
    assert one.api.form(STS) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "subject_token": [SUBJECT],
        "identity_pool_id": ["pool-abc"],
        "subject_token_type": ["urn:ietf:params:oauth:token-type:jwt"],
        "requested_token_type": ["urn:ietf:params:oauth:token-type:access_token"],
    }
    assert one.api.used() == ["Bearer token-1"]
    assert one.host.credentials.token_status == TokenStatus("pool-abc", EPOCH + 900)
    assert one.observer.statuses == [(STS, 200), ("/iam/v2/api-keys", 200)]


@pytest.mark.parametrize("scope", [None, "api://x/.default read:all"])
async def test_a_client_asks_its_identity_provider_for_the_token(
    with_client: Callable[..., PoolHost], scope: str | None
) -> None:
    one = with_client(scope=scope)
    await one.list()
    assert one.api.paths() == [IDP, STS, "/iam/v2/api-keys"]
    assert one.api.form(IDP) == {
        "grant_type": ["client_credentials"],
        "client_id": ["the-client"],
        "client_secret": ["client+secret/with=chars"],
        **({"scope": [scope]} if scope else {}),
    }
    assert b"client_secret=client%2Bsecret%2Fwith%3Dchars" in one.api.requests[0][1].content
    assert one.api.requests[0][1].headers["accept"] == "application/json"
    assert one.api.form(STS)["subject_token"] == ["token-1"]
    assert one.api.used()[-1] == "Bearer token-2"
    assert one.observer.statuses[0] == ("token_url", 200)


@pytest.mark.parametrize(
    ("lifetime", "ages", "exchanges"),
    [
        (900, [0, 300, 839.5], 1),
        (900, [0, 840], 2),
        ("900", [0, 839.5, 840], 2),
        (60, [0, 29.5], 1),
        (60, [0, 30], 2),
        (None, [0, 839.5, 840], 2),
    ],
)
async def test_one_token_serves_all_requests_until_shortly_before_it_expires(
    with_file: Callable[..., PoolHost], lifetime: object, ages: list[float], exchanges: int
) -> None:
    one = with_file(lifetime)
    began = one.clock.monotonic()
    for age in ages:
        await one.clock.sleep(began + age - one.clock.monotonic())
        await one.list()
    assert one.api.paths().count(STS) == exchanges


async def test_the_file_is_read_for_each_exchange(
    with_file: Callable[..., PoolHost], file: Path
) -> None:
    one = with_file()
    await one.list()
    renewed = jwt({"sub": "renewed"})
    write(file, renewed)
    await one.clock.sleep(840)
    await one.list()
    assert one.api.form(STS)["subject_token"] == [renewed]
    remove(file)
    await one.clock.sleep(100)
    await one.list()  # the token is still right
    await one.clock.sleep(740)
    with pytest.raises(TokenUnreadable, match=rf"the token: file {file} does not exist"):
        await one.list()
    assert len(one.api.requests) == 5


async def test_a_rotated_client_secret_is_used_at_the_next_login(
    with_client: Callable[..., PoolHost], secret: Path
) -> None:
    one = with_client()
    await one.list()
    write(secret, "the-next-secret")
    await one.clock.sleep(900)
    await one.list()
    assert one.api.form(IDP)["client_secret"] == ["the-next-secret"]
    remove(secret)
    await one.clock.sleep(900)
    with pytest.raises(
        CredentialsError, match=r"the client secret: file .* does not exist"
    ) as lost:
        await one.list()
    assert lost.value.reason == "credentials"


async def test_the_token_of_the_identity_provider_serves_several_exchanges(
    with_client: Callable[..., PoolHost],
) -> None:
    one = with_client()
    one.api.answers[IDP] = [token(100, 3600), token(200, 3600)]
    for _ in range(6):  # at 0, 840, 1680, 2520 and 3360 s; the provider's token lasts until 3540
        await one.list()
        await one.clock.sleep(840)
    assert one.api.paths().count(STS) == 6
    assert one.api.paths().count(IDP) == 2
    assert one.api.form(STS)["subject_token"] == ["token-200"]


async def test_a_token_of_unknown_lifetime_is_exchanged_once(
    with_client: Callable[..., PoolHost],
) -> None:
    one = with_client(60)
    one.api.answers[IDP] = [httpx.Response(200, content=b'{"access_token": "opaque"}')]
    for _ in range(2):
        await one.list()
        await one.clock.sleep(60)
    assert one.api.paths().count(IDP) == one.api.paths().count(STS) == 2


async def test_a_refused_token_is_exchanged_again_once(with_file: Callable[..., PoolHost]) -> None:
    one = with_file()
    one.api.answers[LISTING.endpoint] = [httpx.Response(401), OK]
    await one.list()
    assert one.api.used() == ["Bearer token-1", "Bearer token-2"]
    one.api.answers[LISTING.endpoint] = [httpx.Response(401)]
    with pytest.raises(Unauthorized, match="the token of the identity pool pool-abc is not acc"):
        await one.list()
    assert one.api.used()[2:] == ["Bearer token-2", "Bearer token-3"]
    assert one.observer.waits == []


async def test_a_missing_role_is_named_with_its_pool(with_file: Callable[..., PoolHost]) -> None:
    one = with_file()
    one.api.answers[LISTING.endpoint] = [httpx.Response(403)]
    with pytest.raises(Forbidden, match="Grant OrganizationAdmin to the principal `User:pool-abc`"):
        await one.list()
    assert one.api.paths() == [STS, LISTING.endpoint]


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_by_the_sts_says_what_the_sts_says(
    with_file: Callable[..., PoolHost], status: int
) -> None:
    one = with_file()
    body = json.dumps({"errors": [{"detail": f"no pool matches {SUBJECT}"}]}).encode()
    headers = {"X-Request-Id": "abc123"}
    one.api.answers[STS] = [httpx.Response(status, headers=headers, content=body)]
    with pytest.raises(TokenRefused) as refused:
        await one.list()
    message = str(refused.value)
    assert f"POST {STS}: {status} " in message
    assert "The API says: no pool matches <redacted>" in message
    assert "The token has iss `https://idp`, aud `confluent`, sub `exporter`" in message
    assert SUBJECT not in message
    assert (refused.value.reason, refused.value.request_id) == ("token_refused", "abc123")
    assert one.api.paths() == [STS]
    assert len(one.observer.reasons) == 1


async def test_a_refused_token_of_the_identity_provider_is_replaced_once_if_it_was_reused(
    with_client: Callable[..., PoolHost],
) -> None:
    one = with_client()
    one.api.answers[IDP] = [token(100, 3600), token(200, 3600), token(300, 3600)]
    await one.list()
    await one.clock.sleep(900)
    one.api.answers[STS] = [httpx.Response(400), token(7)]
    await one.list()
    assert one.api.used()[-1] == "Bearer token-7"
    assert one.api.form(STS)["subject_token"] == ["token-200"]
    await one.clock.sleep(900)
    one.api.answers[STS] = [httpx.Response(400)]
    before = one.api.paths().count(STS)
    with pytest.raises(TokenRefused, match="The token is not a JWT"):
        await one.list()
    assert one.api.paths().count(STS) == before + 2  # the reused and a new one
    assert one.api.form(STS)["subject_token"] == ["token-300"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            httpx.Response(400, content=b'{"error": "invalid_scope"}'),
            "400 Bad Request: the identity",
        ),
        (
            httpx.Response(
                401, content=b'{"error": "invalid_client", "error_description": "unknown"}'
            ),
            "The identity provider says: invalid_client: unknown",
        ),
        (httpx.Response(404), "404 Not Found: the path does not exist; check `token_url`"),
        (httpx.Response(302, headers={"Location": "/x"}), "a redirect, which was not followed"),
        (httpx.Response(307, headers={"Location": "/x"}), "correct `token_url`"),
        (httpx.Response(200), "the answer has no usable access_token"),
        (token(1, 0), "the token has already expired"),
        (httpx.Response(503), "503 Service Unavailable: the identity provider is failing"),
        (httpx.Response(429), "limits the requests for tokens. Check what else uses this client"),
        (httpx.ConnectError("x"), "Check `token_url`, proxies and firewalls"),
    ],
)
async def test_a_failing_identity_provider_is_named(
    with_client: Callable[..., PoolHost], answer: httpx.Response | Exception, says: str
) -> None:
    one = with_client()
    one.api.answers[IDP] = [answer]
    with pytest.raises(IdentityProviderFailed) as failed:
        await one.list()
    assert str(failed.value).startswith("POST token_url: ")
    assert says in str(failed.value)
    assert "the API" not in str(failed.value)
    assert failed.value.reason == "identity_provider"
    assert set(one.api.paths()) == {IDP}
    assert one.observer.reasons[0][0] == "token_url"


@pytest.mark.parametrize("location", ["/elsewhere", URL + STS, "https://evil.example.invalid/"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_of_the_sts_is_followed(
    with_file: Callable[..., PoolHost], status: int, location: str
) -> None:
    one = with_file()
    one.api.answers[STS] = [httpx.Response(status, headers={"Location": location})]
    with pytest.raises(InvalidResponse, match="a redirect, which was not followed"):
        await one.list()
    assert one.api.paths() == [STS]


@pytest.mark.parametrize(
    ("answer", "kind", "exchanges"),
    [
        (httpx.Response(404), NotFound, 1),
        (httpx.Response(500), ServerError, 5),  # with four retries
        (httpx.Response(200, content=b"{}"), InvalidResponse, 1),
        (token(1, token_type="mac"), InvalidResponse, 1),
        (token(1, 0), InvalidResponse, 1),
    ],
)
async def test_any_other_failure_of_the_sts_is_one_of_the_api(
    with_file: Callable[..., PoolHost], answer: httpx.Response, kind: type[ApiError], exchanges: int
) -> None:
    one = with_file()
    one.api.answers[STS] = [answer]
    with pytest.raises(kind) as failed:
        await one.list()
    assert failed.value.endpoint == STS
    assert one.api.paths() == [STS] * exchanges


async def test_a_failing_exchange_is_retried_within_the_budget_of_the_refresh(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file()
    one.api.answers[STS] = [httpx.Response(503), httpx.Response(503), token(1)]
    budget = await one.begin()
    await one.host.send(LISTING, budget)
    assert one.api.paths() == [STS, STS, STS, LISTING.endpoint]
    assert budget.retries == 8
    assert budget.requests == {STS: 3, LISTING.endpoint: 1}
    assert budget.failures == {STS: 2}


async def test_requests_at_the_same_time_share_one_exchange(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file()
    one.api.delay[STS] = 5
    budget = await one.begin()
    authorize = budget.authentication.authorize
    first, second = await asyncio.gather(authorize(budget), authorize(budget))
    assert first is second
    assert one.api.paths() == [STS]


async def test_a_refusal_of_an_older_token_does_not_discard_the_current_one(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file(60)
    budget = await one.begin()
    pool = budget.authentication
    older = await pool.authorize(budget)
    await one.clock.sleep(30)
    current = await pool.authorize(budget)
    assert pool.refused(older)
    assert await pool.authorize(budget) is current
    assert pool.refused(current)
    assert await pool.authorize(budget) is not current


async def test_a_token_that_expires_during_a_wait_for_the_rate_limit_is_not_sent(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file(60)
    spent = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "100"}
    one.api.answers[LISTING.endpoint] = [httpx.Response(200, headers=spent, content=b"{}"), OK]
    await one.list()
    began = one.clock.monotonic()
    await one.list()
    assert one.clock.monotonic() - began > 100
    assert one.api.used() == ["Bearer token-1", "Bearer token-2"]
    assert one.api.paths() == [STS, LISTING.endpoint, STS, LISTING.endpoint]


@pytest.mark.parametrize("holds_host", [True, False])
async def test_no_refresh_waits_beyond_its_deadline_for_one_that_waits_for_a_token(
    with_file: Callable[..., PoolHost], *, holds_host: bool
) -> None:
    one = with_file()
    one.api.answers[STS] = [httpx.Response(503, headers={"Retry-After": "1800"}), token(1)]
    names = await one.host.begin(timeout=3600, low_priority=True)
    low_priority = asyncio.create_task(
        one.host.send(Request("/org/v2/environments"), names)
        if holds_host
        else names.authentication.authorize(names)
    )
    await one.clock.sleep(1)
    began = one.clock.monotonic()
    with pytest.raises(RequestTimeout, match="did not end within the `refresh_timeout` of 300 s"):
        await one.list()
    assert one.clock.monotonic() - began == 300
    await low_priority
    await one.list()  # the lock is free
    listed = ["/org/v2/environments"] if holds_host else []
    assert one.api.paths() == [STS, STS, *listed, LISTING.endpoint]


async def test_a_refresh_that_is_cancelled_while_it_waits_for_the_lock_does_not_keep_it(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file()
    one.api.delay[STS] = 5
    first, second = (asyncio.create_task(one.list()) for _ in range(2))
    await one.clock.sleep(1)
    second.cancel()
    await first
    await one.list()
    assert second.cancelled()
    assert one.api.paths() == [STS, LISTING.endpoint, LISTING.endpoint]


async def test_an_exchange_that_is_cancelled_is_begun_again(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file()
    one.api.delay[STS] = 5
    exchanging = asyncio.create_task(one.list())
    await one.clock.sleep(1)
    exchanging.cancel()
    await one.list()
    assert exchanging.cancelled()
    assert one.api.paths() == [STS, STS, LISTING.endpoint]


async def test_an_exchange_waits_for_the_rate_limit_of_the_api(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file(200)
    spent = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "300"}
    one.api.answers[LISTING.endpoint] = [httpx.Response(200, headers=spent, content=b"{}"), OK]
    await one.list()
    await one.clock.sleep(150)  # the token is due for renewal, and the window is still exhausted
    await one.list()
    assert one.api.paths() == [STS, LISTING.endpoint] * 2
    status = one.host.credentials.token_status
    assert status is not None
    assert status.expires is not None
    assert status.expires >= EPOCH + 300 + 200


@pytest.mark.parametrize(
    ("low_priority", "remedy"), [(False, "list fewer keys with `filters`"), (True, "disable part")]
)
async def test_an_exchange_that_the_rate_limit_does_not_allow_in_time_names_the_remedy(
    with_file: Callable[..., PoolHost], *, low_priority: bool, remedy: str
) -> None:
    one = with_file(60)
    spent = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "300"}
    one.api.answers[LISTING.endpoint] = [httpx.Response(200, headers=spent, content=b"{}")]
    await one.list()
    await one.clock.sleep(60)
    budget = await one.host.begin(timeout=100, low_priority=low_priority)
    with pytest.raises(OutOfBudget, match=f"^POST {STS}: .* or {remedy}"):
        await one.host.send(Request("/iam/v2/users"), budget)


async def test_a_token_that_expires_before_the_answer_arrives_is_not_sent(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file(3)
    one.api.delay[STS] = 3
    with pytest.raises(InvalidResponse, match="the token expired before the answer arrived"):
        await one.list()
    assert one.api.paths() == [STS]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
async def test_a_jump_of_the_wall_clock_changes_nothing(
    with_file: Callable[..., PoolHost], jump: float
) -> None:
    one = with_file()
    await one.list()
    one.clock.jump(jump)
    await one.clock.sleep(800)
    await one.list()
    assert one.api.paths().count(STS) == 1
    await one.clock.sleep(40)
    await one.list()
    assert one.api.paths().count(STS) == 2


async def test_tokens_of_equal_settings_are_taken_over(
    with_client: Callable[..., PoolHost],
) -> None:
    one, same, other = with_client(), with_client(), with_client(client="another")
    await one.list()
    for each in (same, other):
        each.host.resume(one.host)
        await each.list()
    assert same.api.paths() == [LISTING.endpoint]
    assert same.host.credentials.token_status == one.host.credentials.token_status
    assert other.api.paths() == [IDP, STS, LISTING.endpoint]


async def test_the_token_of_the_identity_provider_is_taken_over(
    with_client: Callable[..., PoolHost],
) -> None:
    one, same = with_client(), with_client()
    one.api.answers[IDP] = [token(100, 3600)]
    await one.list()
    same.host.resume(one.host)
    await same.clock.sleep(900)
    await same.list()
    assert same.api.paths() == [STS, LISTING.endpoint]
    assert same.api.form(STS)["subject_token"] == ["token-100"]


async def test_a_token_that_the_api_repeats_is_removed_from_its_answer(
    with_file: Callable[..., PoolHost],
) -> None:
    one = with_file()
    text = "a-token-of-the-pool-0123456789"
    one.api.answers[STS] = [token(1, access_token=text)]
    one.api.answers[LISTING.endpoint] = [httpx.Response(200, content=f'{{"x": "{text}"}}')]
    answer = await one.host.send(LISTING, await one.begin())
    assert one.api.used() == [f"Bearer {text}"]
    assert answer.body == b'{"x": "<redacted>"}'


async def test_a_client_secret_that_the_identity_provider_repeats_is_removed(
    with_client: Callable[..., PoolHost], secret: Path
) -> None:
    text = "a-secret+that/only=this-test-uses"
    write(secret, text)
    one = with_client()
    body = {"error": "invalid_client", "error_description": f"{text} {quote(text, safe='')}"}
    one.api.answers[IDP] = [httpx.Response(401, content=json.dumps(body))]
    with pytest.raises(
        IdentityProviderFailed, match=r"says: invalid_client: <redacted> <redacted>$"
    ):
        await one.list()


async def test_no_part_of_a_repeated_token_remains_where_a_message_is_cut_off(
    with_client: Callable[..., PoolHost],
) -> None:
    one = with_client()
    text = "Zq8Kd0Wm4Yt6Rb2X" * 500  # longer than one_line() looks ahead
    one.api.answers[IDP] = [token(1, access_token=text)]
    one.api.answers[STS] = [httpx.Response(400, content=json.dumps({"message": f"bad {text}"}))]
    with pytest.raises(TokenRefused, match=r"says: bad <redacted>\.") as refused:
        await one.list()
    assert text[:6] not in str(refused.value)


async def test_a_token_of_a_file_that_the_sts_repeats_in_base64_is_removed(
    with_file: Callable[..., PoolHost], file: Path
) -> None:
    text = jwt({"sub": "only in this test"})
    write(file, text)
    one = with_file()
    body = {"message": b64encode(text.encode()).decode()}
    one.api.answers[STS] = [httpx.Response(400, content=json.dumps(body))]
    with pytest.raises(
        TokenRefused, match=r"The API says: <redacted>[A-Za-z0-9+/=]{0,3}\. The token"
    ):
        await one.list()


async def test_a_token_of_the_identity_provider_that_the_sts_repeats_is_removed(
    with_client: Callable[..., PoolHost],
) -> None:
    one = with_client()
    text = "an-opaque-token-of-the-identity-provider"
    one.api.answers[IDP] = [token(1, access_token=text)]
    one.api.answers[STS] = [httpx.Response(400, content=json.dumps({"message": f"bad {text}"}))]
    with pytest.raises(TokenRefused, match=r"says: bad <redacted>\. The token is not a JWT"):
        await one.list()


async def test_no_connection_to_a_token_endpoint_stays_open(
    with_client: Callable[..., PoolHost],
) -> None:
    one = with_client()
    for exchanges in (1, 2):
        await one.list()
        assert one.transport.closed == 2 * exchanges  # the identity provider and the STS
        await one.clock.sleep(900)
    before = one.transport.closed
    await one.host.aclose()
    assert one.transport.closed == before + 3  # and the API


async def test_nothing_shows_a_token(with_client: Callable[..., PoolHost]) -> None:
    one = with_client()
    await one.list()
    budget = await one.begin()
    shown = repr(
        [vars(budget.authentication), vars(one.host), budget, one.host.credentials.token_status]
    )
    assert "token-1" not in shown
    assert "token-2" not in shown
    assert "client+secret" not in shown
