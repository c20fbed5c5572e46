"""Tokens of an identity pool: when they are exchanged, used, and what a refusal means."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import httpx
import pytest

from exporter.config import OAuthClient, PoolCredentials, TokenFile
from exporter.config.secrets import FromFile
from exporter.confluent.credentials import NoCredentials, TokenStatus
from exporter.confluent.failures import IDENTITY_PROVIDER
from exporter.confluent.headers import IAM
from exporter.confluent.host import Host, HostSettings
from exporter.confluent.identity_pool import IdentityPool
from exporter.confluent.identity_provider import ClientTokens, FileTokens
from exporter.confluent.pacing import Pacer
from exporter.confluent.request import Request
from exporter.errors import (
    ApiError,
    CredentialsError,
    Forbidden,
    IdentityProviderFailed,
    InvalidResponse,
    NotFound,
    RequestTimeout,
    ServerError,
    TokenRefused,
    TokenUnreadable,
    Unauthorized,
)
from tests.confluent.test_host import Recorder
from tests.confluent.test_tokens import jwt
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


class Wire:
    """Answers requests, each path with its own answers in turn; the last one again and again.

    Without answers, the token endpoints issue numbered tokens of ``life`` seconds, and the API
    accepts everything. ``delay``: seconds, by path.
    """

    def __init__(self, life: object = 900) -> None:
        self.life = life
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
            answer = token(self._issued, self.life)
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


class World:
    """An API, its STS and an identity provider, for one identity pool."""

    def __init__(self, subject: TokenFile | OAuthClient, wire: Wire) -> None:
        self.clock, self.observer, self.wire = FakeClock(), Recorder(), wire
        self.settings = PoolCredentials("pool-abc", subject)
        pacer = self._pacer()
        self.pool = IdentityPool(
            self.settings,
            sts=self._host(URL, NoCredentials(), pacer),
            subject=self._subject(subject),
            clock=self.clock,
        )
        self.host = self._host(URL, self.pool, pacer)
        self.other_host = self._host("https://other.example.invalid", self.pool, self._pacer())

    def _subject(self, subject: TokenFile | OAuthClient) -> FileTokens | ClientTokens:
        if isinstance(subject, TokenFile):
            return FileTokens(subject, clock=self.clock)
        provider = self._host(subject.token_url, NoCredentials(), self._pacer(), IDENTITY_PROVIDER)
        return ClientTokens(subject, provider, clock=self.clock)

    def _pacer(self) -> Pacer:
        return Pacer(
            reserve=0.5,
            reset_header=IAM.reset,
            clock=self.clock,
            observer=self.observer,
            random=Random(0),
        )

    def _host(self, url: str, credentials: object, pacer: Pacer, server: object = None) -> Host:
        more = {"server": server} if server else {}
        return Host(
            HostSettings(url, request_timeout=10, max_body=65_536, **more),  # type: ignore[arg-type] # one of two hosts
            credentials,  # type: ignore[arg-type] # one of two kinds
            pacer=pacer,
            clock=self.clock,
            observer=self.observer,
            transport=httpx.MockTransport(self.wire),
        )

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
def world(file: Path) -> Callable[..., World]:
    """Return a function that creates a world with a token file."""
    return lambda life=900: World(TokenFile(FromFile(file)), Wire(life))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("client+secret/with=chars")
    return path


@pytest.fixture
def client_world(secret: Path) -> Callable[..., World]:
    """Return a function that creates a world with a client of the identity provider."""

    def create(life: object = 900, scope: str | None = None) -> World:
        return World(OAuthClient(TOKEN_URL, "the client", FromFile(secret), scope), Wire(life))

    return create


async def test_the_token_of_the_file_is_exchanged_as_the_sts_documents(
    world: Callable[..., World],
) -> None:
    one = world()
    assert one.host.token_status == TokenStatus("pool-abc", None)
    await one.list()
    assert one.wire.paths() == [STS, "/iam/v2/api-keys"]
    exchange = one.wire.requests[0][1]
    assert exchange.method == "POST"
    assert "authorization" not in exchange.headers
    assert exchange.headers["content-type"] == "application/x-www-form-urlencoded"
    assert one.wire.form(STS) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "subject_token": [SUBJECT],
        "identity_pool_id": ["pool-abc"],
        "subject_token_type": ["urn:ietf:params:oauth:token-type:jwt"],
        "requested_token_type": ["urn:ietf:params:oauth:token-type:access_token"],
    }
    assert one.wire.used() == ["Bearer token-1"]
    assert one.host.token_status == TokenStatus("pool-abc", EPOCH + 900)
    assert one.observer.statuses == [(STS, 200), ("/iam/v2/api-keys", 200)]


@pytest.mark.parametrize("scope", [None, "api://x/.default read:all"])
async def test_a_client_asks_its_identity_provider_for_the_token(
    client_world: Callable[..., World], scope: str | None
) -> None:
    one = client_world(scope=scope)
    await one.list()
    assert one.wire.paths() == [IDP, STS, "/iam/v2/api-keys"]
    assert one.wire.form(IDP) == {
        "grant_type": ["client_credentials"],
        "client_id": ["the client"],
        "client_secret": ["client+secret/with=chars"],
        **({"scope": [scope]} if scope else {}),
    }
    assert b"client_secret=client%2Bsecret%2Fwith%3Dchars" in one.wire.requests[0][1].content
    assert one.wire.requests[0][1].headers["accept"] == "application/json"
    assert one.wire.form(STS)["subject_token"] == ["token-1"]
    assert one.wire.used()[-1] == "Bearer token-2"
    assert one.observer.statuses[0] == ("token_url", 200)


@pytest.mark.parametrize(
    ("life", "ages", "exchanges"),
    [
        (900, [0, 300, 839.5], 1),
        (900, [0, 840], 2),
        ("900", [0, 839.5, 840], 2),
        (60, [0, 29.5], 1),
        (60, [0, 30], 2),
        (None, [0, 839.5, 840], 2),
    ],
)
async def test_one_token_serves_all_requests_until_shortly_before_its_end(
    world: Callable[..., World], life: object, ages: list[float], exchanges: int
) -> None:
    one = world(life)
    began = one.clock.monotonic()
    for age in ages:
        await one.clock.sleep(began + age - one.clock.monotonic())
        await one.list()
    assert one.wire.paths().count(STS) == exchanges


async def test_the_file_is_read_for_each_exchange(world: Callable[..., World], file: Path) -> None:
    one = world()
    await one.list()
    renewed = jwt({"sub": "renewed"})
    write(file, renewed)
    await one.clock.sleep(840)
    await one.list()
    assert one.wire.form(STS)["subject_token"] == [renewed]
    remove(file)
    await one.clock.sleep(100)
    await one.list()  # the token is still right
    await one.clock.sleep(740)
    with pytest.raises(TokenUnreadable, match=rf"the token: file {file} does not exist"):
        await one.list()
    assert len(one.wire.requests) == 5


async def test_a_rotated_client_secret_is_used_at_the_next_login(
    client_world: Callable[..., World], secret: Path
) -> None:
    one = client_world()
    await one.list()
    write(secret, "the-next-secret")
    await one.clock.sleep(900)
    await one.list()
    assert one.wire.form(IDP)["client_secret"] == ["the-next-secret"]
    remove(secret)
    await one.clock.sleep(900)
    with pytest.raises(
        CredentialsError, match=r"the client secret: file .* does not exist"
    ) as lost:
        await one.list()
    assert lost.value.reason == "credentials"


async def test_the_token_of_the_identity_provider_serves_several_exchanges(
    client_world: Callable[..., World],
) -> None:
    one = client_world()
    one.wire.answers[IDP] = [token(100, 3600), token(200, 3600)]
    for _ in range(6):  # at 0, 840, 1680, 2520 and 3360 s; the provider's token lasts until 3540
        await one.list()
        await one.clock.sleep(840)
    assert one.wire.paths().count(STS) == 6
    assert one.wire.paths().count(IDP) == 2
    assert one.wire.form(STS)["subject_token"] == ["token-200"]


async def test_a_token_of_unknown_life_is_exchanged_once(
    client_world: Callable[..., World],
) -> None:
    one = client_world()
    one.wire.answers[IDP] = [httpx.Response(200, content=b'{"access_token": "opaque"}')]
    for _ in range(2):
        await one.list()
        await one.clock.sleep(900)
    assert one.wire.paths().count(IDP) == one.wire.paths().count(STS) == 2


async def test_a_refused_token_is_exchanged_again_once(world: Callable[..., World]) -> None:
    one = world()
    one.wire.answers[LISTING.endpoint] = [httpx.Response(401), OK]
    await one.list()
    assert one.wire.used() == ["Bearer token-1", "Bearer token-2"]
    one.wire.answers[LISTING.endpoint] = [httpx.Response(401)]
    with pytest.raises(Unauthorized, match="the token of the identity pool pool-abc is not acc"):
        await one.list()
    assert one.wire.used()[2:] == ["Bearer token-2", "Bearer token-3"]
    assert one.observer.waits == []


async def test_a_missing_role_is_named_with_its_pool(world: Callable[..., World]) -> None:
    one = world()
    one.wire.answers[LISTING.endpoint] = [httpx.Response(403)]
    with pytest.raises(Forbidden, match="Grant OrganizationAdmin to the principal `User:pool-abc`"):
        await one.list()
    assert one.wire.paths() == [STS, LISTING.endpoint]


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_by_the_sts_says_what_the_sts_says(
    world: Callable[..., World], status: int
) -> None:
    one = world()
    body = json.dumps({"errors": [{"detail": f"no pool matches {SUBJECT}"}]}).encode()
    headers = {"X-Request-Id": "abc123"}
    one.wire.answers[STS] = [httpx.Response(status, headers=headers, content=body)]
    with pytest.raises(TokenRefused) as refused:
        await one.list()
    message = str(refused.value)
    assert f"POST {STS}: {status} " in message
    assert "The API says: no pool matches <redacted>" in message
    assert "The token has iss `https://idp`, aud `confluent`, sub `exporter`" in message
    assert SUBJECT not in message
    assert (refused.value.reason, refused.value.request_id) == ("token_refused", "abc123")
    assert one.wire.paths() == [STS]
    assert len(one.observer.reasons) == 1


async def test_a_refused_token_of_the_identity_provider_is_replaced_once_if_it_was_reused(
    client_world: Callable[..., World],
) -> None:
    one = client_world()
    one.wire.answers[IDP] = [token(100, 3600), token(200, 3600), token(300, 3600)]
    await one.list()
    await one.clock.sleep(900)
    one.wire.answers[STS] = [httpx.Response(400), token(7)]
    await one.list()
    assert one.wire.used()[-1] == "Bearer token-7"
    assert one.wire.form(STS)["subject_token"] == ["token-200"]
    await one.clock.sleep(900)
    one.wire.answers[STS] = [httpx.Response(400)]
    before = one.wire.paths().count(STS)
    with pytest.raises(TokenRefused, match="The token is not a JWT"):
        await one.list()
    assert one.wire.paths().count(STS) == before + 2  # the reused and a new one
    assert one.wire.form(STS)["subject_token"] == ["token-300"]


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
    client_world: Callable[..., World], answer: httpx.Response | Exception, says: str
) -> None:
    one = client_world()
    one.wire.answers[IDP] = [answer]
    with pytest.raises(IdentityProviderFailed) as failed:
        await one.list()
    assert str(failed.value).startswith("POST token_url: ")
    assert says in str(failed.value)
    assert "the API" not in str(failed.value)
    assert failed.value.reason == "identity_provider"
    assert set(one.wire.paths()) == {IDP}
    assert one.observer.reasons[0][0] == "token_url"


@pytest.mark.parametrize("location", ["/elsewhere", URL + STS, "https://evil.example.invalid/"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_of_the_sts_is_followed(
    world: Callable[..., World], status: int, location: str
) -> None:
    one = world()
    one.wire.answers[STS] = [httpx.Response(status, headers={"Location": location})]
    with pytest.raises(InvalidResponse, match="a redirect, which was not followed"):
        await one.list()
    assert one.wire.paths() == [STS]


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
    world: Callable[..., World], answer: httpx.Response, kind: type[ApiError], exchanges: int
) -> None:
    one = world()
    one.wire.answers[STS] = [answer]
    with pytest.raises(kind) as failed:
        await one.list()
    assert failed.value.endpoint == STS
    assert one.wire.paths() == [STS] * exchanges


async def test_a_failing_exchange_is_retried_within_the_budget_of_the_refresh(
    world: Callable[..., World],
) -> None:
    one = world()
    one.wire.answers[STS] = [httpx.Response(503), httpx.Response(503), token(1)]
    budget = await one.begin()
    await one.host.send(LISTING, budget)
    assert one.wire.paths() == [STS, STS, STS, LISTING.endpoint]
    assert budget.retries == 8
    assert budget.requests == {STS: 3, LISTING.endpoint: 1}
    assert budget.failures == {STS: 2}


async def test_two_hosts_share_one_exchange(world: Callable[..., World]) -> None:
    one = world()
    one.wire.delay[STS] = 5
    budget = await one.begin()
    await asyncio.gather(
        one.host.send(LISTING, budget), one.other_host.send(Request("/other"), budget)
    )
    assert one.wire.paths()[0] == STS
    assert sorted(one.wire.paths()[1:]) == ["/iam/v2/api-keys", "/other"]
    assert one.wire.used() == ["Bearer token-1"] * 2


async def test_a_refusal_of_an_older_token_does_not_discard_the_current_one(
    world: Callable[..., World],
) -> None:
    one = world(60)
    budget = await one.begin()
    older = await one.pool.authorize(budget)
    await one.clock.sleep(30)
    current = await one.pool.authorize(budget)
    assert one.pool.refused(older)
    assert await one.pool.authorize(budget) is current
    assert one.pool.refused(current)
    assert await one.pool.authorize(budget) is not current


async def test_a_token_that_expires_during_a_wait_for_the_rate_limit_is_not_sent(
    world: Callable[..., World],
) -> None:
    one = world(60)
    spent = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "100"}
    one.wire.answers[LISTING.endpoint] = [httpx.Response(200, headers=spent, content=b"{}"), OK]
    await one.list()
    began = one.clock.monotonic()
    await one.list()
    assert one.clock.monotonic() - began > 100
    assert one.wire.used() == ["Bearer token-1", "Bearer token-2"]
    assert one.wire.paths() == [STS, LISTING.endpoint, STS, LISTING.endpoint]


@pytest.mark.parametrize("of_same_host", [True, False])
async def test_no_refresh_waits_beyond_its_deadline_for_one_that_waits_for_a_token(
    world: Callable[..., World], *, of_same_host: bool
) -> None:
    one = world()
    one.wire.answers[STS] = [httpx.Response(503, headers={"Retry-After": "1800"}), token(1)]
    names = await one.host.begin(timeout=3600, low_priority=True)
    host = one.host if of_same_host else one.other_host
    low_priority = asyncio.create_task(host.send(Request("/org/v2/environments"), names))
    await one.clock.sleep(1)
    began = one.clock.monotonic()
    with pytest.raises(RequestTimeout, match="did not end within the `refresh_timeout` of 300 s"):
        await one.list()
    assert one.clock.monotonic() - began == 300
    await low_priority
    await one.list()  # the lock is free
    assert one.wire.paths() == [STS, STS, "/org/v2/environments", LISTING.endpoint]


async def test_a_refresh_that_is_cancelled_while_it_waits_for_the_lock_does_not_keep_it(
    world: Callable[..., World],
) -> None:
    one = world()
    one.wire.delay[STS] = 5
    first, second = (asyncio.create_task(one.list()) for _ in range(2))
    await one.clock.sleep(1)
    second.cancel()
    await first
    await one.list()
    assert second.cancelled()
    assert one.wire.paths() == [STS, LISTING.endpoint, LISTING.endpoint]


async def test_an_exchange_that_is_cancelled_is_begun_again(world: Callable[..., World]) -> None:
    one = world()
    one.wire.delay[STS] = 5
    exchanging = asyncio.create_task(one.list())
    await one.clock.sleep(1)
    exchanging.cancel()
    await one.list()
    assert exchanging.cancelled()
    assert one.wire.paths() == [STS, STS, LISTING.endpoint]


async def test_a_token_that_expires_before_its_answer_arrives_is_not_sent(
    world: Callable[..., World],
) -> None:
    one = world(3)
    one.wire.delay[STS] = 3
    with pytest.raises(InvalidResponse, match="the token expired before its answer arrived"):
        await one.list()
    assert one.wire.paths() == [STS]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
async def test_a_jump_of_the_wall_clock_changes_nothing(
    world: Callable[..., World], jump: float
) -> None:
    one = world()
    await one.list()
    one.clock.jump(jump)
    await one.clock.sleep(800)
    await one.list()
    assert one.wire.paths().count(STS) == 1
    await one.clock.sleep(40)
    await one.list()
    assert one.wire.paths().count(STS) == 2


async def test_tokens_of_equal_settings_are_taken_over(
    client_world: Callable[..., World], secret: Path
) -> None:
    one, same = client_world(), client_world()
    other = World(OAuthClient(TOKEN_URL, "another", FromFile(secret)), Wire())
    await one.list()
    for each in (same, other):
        each.clock, each.wire = one.clock, Wire()
        each.host.resume(one.host)
    assert same.host.token_status == one.host.token_status
    assert other.host.token_status == TokenStatus("pool-abc", None)
    budget = await one.begin()
    assert await same.pool.authorize(budget) is await one.pool.authorize(budget)


async def test_nothing_shows_a_token(client_world: Callable[..., World]) -> None:
    one = client_world()
    await one.list()
    shown = repr([vars(one.pool), vars(one.host), await one.begin(), one.host.token_status])
    assert "token-1" not in shown
    assert "token-2" not in shown
    assert "client+secret" not in shown
