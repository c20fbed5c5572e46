"""What a host does with any request: credentials, methods, priorities and its own rate limit."""

from __future__ import annotations

import asyncio
import threading
from random import Random
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter import redaction
from exporter.clock import SystemClock
from exporter.config import Secret
from exporter.confluent.credentials import BasicCredentials, Credentials
from exporter.confluent.headers import IAM, HeaderDialect
from exporter.confluent.host import Host, HostSettings
from exporter.confluent.pacing import Pacer
from exporter.confluent.request import Authorization, Request
from exporter.confluent.throttle import RateLimitStatus
from exporter.errors import (
    ApiError,
    BadRequest,
    ConnectionFailed,
    CredentialsError,
    Forbidden,
    InvalidResponse,
    RequestTimeout,
    ServerError,
    Unauthorized,
)
from tests.virtual_time import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.clock import Clock
    from exporter.confluent.request import Budget

URL = "https://api.example.invalid"
PATH = "/v2/metrics/cloud/query"
QUERY = Request(PATH, method="POST", body=b'{"limit": 1}', content_type="application/json")
EXCHANGE = Request("/token", method="POST", body=b"grant_type=x", repeatable=False)


class Tokens(Credentials):
    """Credentials that change after each refusal, ``others`` times."""

    def __init__(self, *, others: int = 0) -> None:
        self._others = others
        self.reads = 0
        self.refusals = 0

    def read(self) -> Tokens:
        self.reads += 1
        return self

    async def authorize(self, _budget: Budget) -> Authorization:
        token = f"token-{self.refusals}-secret"
        return Authorization({"Authorization": f"Bearer {token}"}, [redaction.Redactor(token)])

    def refused(self, _authorization: Authorization) -> bool:
        self.refusals += 1
        return self.refusals <= self._others


class Recorder:
    """Remembers what the host reports."""

    def __init__(self) -> None:
        self.statuses: list[tuple[str, int | None]] = []
        self.reasons: list[tuple[str, str]] = []
        self.rate_limits: list[RateLimitStatus] = []
        self.waits: list[str] = []

    def request_ended(self, endpoint: str, status: int | None, _seconds: float) -> None:
        self.statuses.append((endpoint, status))

    def failed(self, endpoint: str, reason: str) -> None:
        self.reasons.append((endpoint, reason))

    def rate_limit_observed(self, _endpoint: str, status: RateLimitStatus) -> None:
        self.rate_limits.append(status)

    def throttled(self, reason: str, _seconds: float) -> None:
        self.waits.append(reason)


class Api:
    """Answers each request with the next of ``answers``, and the last one again and again."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await request.aread()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        headers = list(answer.headers.multi_items())
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)


def host_of(
    api: Api,
    credentials: Credentials | None = None,
    *,
    clock: Clock | None = None,
    observer: Recorder | None = None,
    dialect: HeaderDialect = IAM,
) -> Host:
    return Host(
        HostSettings(URL, request_timeout=10, max_body=1000, dialect=dialect),
        credentials or Tokens(),
        pacer=pacer_of(clock or FakeClock(), observer or Recorder(), dialect),
        clock=clock or FakeClock(),
        observer=observer or Recorder(),
        transport=httpx.MockTransport(api),
    )


def pacer_of(clock: Clock, observer: Recorder, dialect: HeaderDialect = IAM) -> Pacer:
    return Pacer(
        reserve=0.5, reset_header=dialect.reset, clock=clock, observer=observer, random=Random(0)
    )


OK = httpx.Response(200, content=b"{}")


async def test_a_post_request_carries_its_body_and_its_errors_name_the_method() -> None:
    api, observer = Api(OK, httpx.Response(400)), Recorder()
    host = host_of(api, observer=observer)
    budget = await host.begin(timeout=60)
    assert (await host.send(QUERY, budget)).body == b"{}"
    (request,) = api.requests
    assert (request.method, str(request.url)) == ("POST", URL + PATH)
    assert request.content == b'{"limit": 1}'
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == "12"
    with pytest.raises(BadRequest) as failure:
        await host.send(QUERY, budget)
    assert str(failure.value).startswith(f"POST {PATH}: 400 Bad Request: ")
    assert observer.statuses == [(PATH, 200), (PATH, 400)]
    assert observer.reasons == [(PATH, "bad_request")]
    assert budget.error_ratios() == {PATH: 0.5}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), ServerError),
        (httpx.ReadError("gone"), ConnectionFailed),
        (httpx.Response(408), RequestTimeout),
    ],
)
async def test_only_repeatable_requests_are_sent_again_after_a_failure(
    answer: httpx.Response | Exception, error: type[ApiError]
) -> None:
    api = Api(answer, OK)
    host = host_of(api)
    with pytest.raises(error):
        await host.send(EXCHANGE, await host.begin(timeout=60))
    assert len(api.requests) == 1
    api = Api(answer, OK)
    host = host_of(api)
    await host.send(QUERY, await host.begin(timeout=60))
    assert [request.content for request in api.requests] == [b'{"limit": 1}'] * 2


async def test_a_429_was_not_processed_so_every_request_is_sent_again() -> None:
    api = Api(httpx.Response(429), OK)
    host = host_of(api)
    await host.send(EXCHANGE, await host.begin(timeout=60))
    assert len(api.requests) == 2


@pytest.mark.parametrize(("status", "followed"), [(307, True), (308, True), (302, False)])
async def test_only_redirects_that_keep_the_method_apply_to_a_post(
    status: int, *, followed: bool
) -> None:
    api = Api(httpx.Response(status, headers={"Location": "/other"}), OK)
    host = host_of(api)
    budget = await host.begin(timeout=60)
    if followed:
        await host.send(QUERY, budget)
        assert [request.content for request in api.requests] == [b'{"limit": 1}'] * 2
        assert api.requests[1].url.path == "/other"
    else:
        with pytest.raises(InvalidResponse, match="302 Found"):
            await host.send(QUERY, budget)


async def test_refused_credentials_are_replaced_once_if_there_are_others() -> None:
    api, tokens, observer = Api(httpx.Response(401), OK), Tokens(others=9), Recorder()
    host = host_of(api, tokens, observer=observer)
    await host.send(QUERY, await host.begin(timeout=60))
    sent = [request.headers["authorization"] for request in api.requests]
    assert sent == ["Bearer token-0-secret", "Bearer token-1-secret"]
    assert observer.reasons == [(PATH, "unauthorized")]
    assert observer.waits == []


@pytest.mark.parametrize(("others", "requests"), [(0, 1), (9, 2)])
async def test_credentials_that_stay_refused_are_a_failure(others: int, requests: int) -> None:
    api = Api(httpx.Response(401))
    host = host_of(api, Tokens(others=others))
    with pytest.raises(Unauthorized):
        await host.send(QUERY, await host.begin(timeout=60))
    assert len(api.requests) == requests


async def test_an_answer_that_repeats_its_credentials_is_redacted() -> None:
    host = host_of(Api(httpx.Response(200, content=b'{"token": "token-0-secret"}')))
    answer = await host.send(QUERY, await host.begin(timeout=60))
    assert answer.body == b'{"token": "<redacted>"}'


METRICS = HeaderDialect("rateLimit-limit", "rateLimit-remaining", "rateLimit-reset")


async def test_a_dialect_names_the_headers_of_the_rate_limit() -> None:
    spent = [
        ("ratelimit-limit", "300"),
        ("ratelimit-remaining", "120"),
        ("ratelimit-reset", "40"),
        ("X-RateLimit-Limit", "1"),
    ]
    observer = Recorder()
    host = host_of(Api(httpx.Response(200, headers=spent)), observer=observer, dialect=METRICS)
    await host.send(QUERY, await host.begin(timeout=60))
    assert observer.rate_limits == [RateLimitStatus(300, 120, 40)]
    assert host.rate_limits == {PATH: RateLimitStatus(300, 120, 40)}
    with pytest.raises(ApiError, match="share: 150 of 300 per 40 s"):
        await host.send(QUERY, await host.begin(timeout=5))


async def test_a_wait_that_does_not_fit_names_the_header_of_the_dialect() -> None:
    spent = [("rateLimit-remaining", "0"), ("rateLimit-reset", "30")]
    host = host_of(Api(httpx.Response(200, headers=spent)), dialect=METRICS)
    await host.send(QUERY, await host.begin(timeout=60))
    with pytest.raises(ApiError, match=f"POST {PATH}: rateLimit-reset allows no request before"):
        await host.send(QUERY, await host.begin(timeout=5))


def tighter(
    limits: Sequence[float], remaining: Sequence[float], resets: Sequence[float]
) -> RateLimitStatus:
    """Return the scope with the fewest requests left."""
    rest, limit, reset = min(zip(remaining, limits, resets, strict=True))
    return RateLimitStatus(int(limit), int(rest), reset)


async def test_a_dialect_combines_headers_that_are_sent_once_for_each_scope() -> None:
    dialect = HeaderDialect(METRICS.limit, METRICS.remaining, METRICS.reset, combine=tighter)
    scopes = {"limit": ("300", "160"), "remaining": ("299", "7"), "reset": ("60", "3000")}
    headers = [(f"rateLimit-{name}", value) for name, both in scopes.items() for value in both]
    host = host_of(Api(httpx.Response(200, headers=headers)), dialect=dialect)
    await host.send(QUERY, await host.begin(timeout=60))
    assert host.rate_limits == {PATH: RateLimitStatus(160, 7, 3000)}


async def test_an_exhausted_host_does_not_stall_another() -> None:
    clock = FakeClock()
    spent = {"X-RateLimit-Limit": "9", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "600"}
    exhausted = host_of(Api(httpx.Response(200, headers=spent)), clock=clock)
    other = host_of(Api(OK), clock=clock)
    await exhausted.send(QUERY, await exhausted.begin(timeout=60))
    stalled = asyncio.ensure_future(exhausted.send(QUERY, await exhausted.begin(timeout=3600)))
    await clock.sleep(1)
    assert exhausted.waits
    began = clock.monotonic()
    await other.send(QUERY, await other.begin(timeout=60))
    assert (clock.monotonic(), other.seconds_until_allowed([PATH])) == (began, 0)
    assert exhausted.seconds_until_allowed([PATH]) > 500
    assert not stalled.done()
    await stalled
    assert exhausted.waits == ()


async def test_an_endpoint_that_asks_for_a_wait_does_not_stall_other_endpoints() -> None:
    clock = FakeClock()
    refusal = httpx.Response(403, headers={"Retry-After": "600"}, content=b"{}")
    host = host_of(Api(refusal, OK), clock=clock)
    low = await host.begin(timeout=3600, low_priority=True)
    with pytest.raises(Forbidden):
        await host.send(QUERY, low)
    stalled = asyncio.ensure_future(host.send(QUERY, low))
    await clock.sleep(1)
    with host.prioritized():
        await host.send(Request("/keys"), await host.begin(timeout=1))
    assert clock.monotonic() == 1
    await stalled
    assert 600 < clock.monotonic() < 602  # with jitter


async def test_a_low_priority_request_waits_for_a_prioritized_refresh_until_its_deadline() -> None:
    clock, api = FakeClock(), Api(OK)
    host = host_of(api, clock=clock)
    setting = "names.refresh_interval"
    low = await host.begin(timeout=60, setting=setting, low_priority=True)
    with host.prioritized():
        with pytest.raises(RequestTimeout, match=r"within the `names.refresh_interval` of 60 s"):
            await host.send(QUERY, low)
        assert clock.monotonic() == 60
        assert api.requests == []
        await host.send(QUERY, await host.begin(timeout=60))
        waiting = asyncio.ensure_future(
            host.send(QUERY, await host.begin(timeout=60, low_priority=True))
        )
        await clock.sleep(5)
        assert len(api.requests) == 1
    await waiting
    assert (clock.monotonic(), len(api.requests)) == (65, 2)


async def test_a_request_after_the_deadline_is_not_sent() -> None:
    clock, api = FakeClock(), Api(OK)
    host = host_of(api, clock=clock)
    budget = await host.begin(timeout=5)
    await clock.sleep(5)
    with pytest.raises(
        RequestTimeout,
        match=f"POST {PATH}: the refresh did not end within the `refresh_timeout` of 5 s",
    ):
        await host.send(QUERY, budget)
    assert api.requests == []


async def never(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("timeout", [5, 60])
async def test_dns_that_does_not_answer_is_named_whichever_limit_ends_the_request(
    monkeypatch: pytest.MonkeyPatch,
    timeout: float,  # noqa: ASYNC109 # of the refresh
) -> None:
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", never)
    clock, observer = FakeClock(), Recorder()
    settings = HostSettings(URL, request_timeout=10, max_body=1000)
    pacer = pacer_of(clock, observer)
    host = Host(settings, Tokens(), pacer=pacer, clock=clock, observer=observer)
    with pytest.raises(RequestTimeout, match=r"the name api\.example\.invalid was not resolved"):
        await host.send(EXCHANGE, await host.begin(timeout=timeout))
    assert observer.statuses == [("/token", None)]
    assert clock.monotonic() == min(timeout, 10)
    await host.aclose()


class SlowClock(FakeClock):
    """A clock at a tenth of the event loop's speed."""

    def monotonic(self) -> float:
        return super().monotonic() / 10

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds * 10)


async def test_the_deadline_of_a_low_priority_request_is_that_of_the_injected_clock() -> None:
    clock = SlowClock()
    host = host_of(Api(OK), clock=clock)
    low = await host.begin(timeout=60, low_priority=True)
    with host.prioritized(), pytest.raises(RequestTimeout):
        await host.send(QUERY, low)
    assert clock.monotonic() == 60


class Source:
    """An API key whose secret can be rotated."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = list(secrets)

    def read(self) -> tuple[str, Secret]:
        if not self._secrets:
            raise CredentialsError("the API secret: file x does not exist")
        return "KEY", Secret(self._secrets.pop(0))


async def test_each_refresh_keeps_the_secret_that_it_has_read() -> None:
    api = Api(OK)
    credentials = BasicCredentials(Source("first-secret", "second-secret"))  # type: ignore[arg-type] # reads alike
    host = host_of(api, credentials)
    first = await host.begin(timeout=60)
    second = await host.begin(timeout=60)
    with pytest.raises(CredentialsError, match="does not exist"):
        await host.begin(timeout=60)
    for budget in (first, second, first):
        await host.send(QUERY, budget)
    assert [request.headers["authorization"] for request in api.requests] == [
        "Basic S0VZOmZpcnN0LXNlY3JldA==",
        "Basic S0VZOnNlY29uZC1zZWNyZXQ=",
        "Basic S0VZOmZpcnN0LXNlY3JldA==",
    ]
    assert not first.authentication.refused(await first.authentication.authorize(first))
    shown = repr(credentials) + repr(first) + repr(vars(host))
    assert "first-secret" not in shown
    assert "second-secret" not in shown
    assert "S0VZ" not in shown


async def test_the_id_of_the_api_key_is_that_of_the_latest_refresh_that_could_read_it() -> None:
    source = Source("first-secret")
    host = host_of(Api(OK), BasicCredentials(source))  # type: ignore[arg-type] # reads alike
    assert host.credentials.api_key_id is None
    await host.begin(timeout=60)
    assert host.credentials.api_key_id == "KEY"
    with pytest.raises(CredentialsError, match="does not exist"):
        await host.begin(timeout=60)
    assert host.credentials.api_key_id == "KEY"


async def test_the_id_of_the_api_key_is_resumed_from_the_same_source() -> None:
    source, other = Source("first-secret"), Source("second-secret")
    before, same, changed = (
        host_of(Api(OK), BasicCredentials(each))  # type: ignore[arg-type] # reads alike
        for each in (source, source, other)
    )
    await before.begin(timeout=60)
    for host in (same, changed):
        host.resume(before)
    assert (same.credentials.api_key_id, changed.credentials.api_key_id) == ("KEY", None)


async def test_tokens_have_no_api_key() -> None:
    host = host_of(Api(OK), Tokens())
    await host.begin(timeout=60)
    assert host.credentials.api_key_id is None


class Hanging(Tokens):
    """Credentials on a file system that hangs until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def read(self) -> Tokens:
        tokens = super().read()
        self.released.wait(30)
        return tokens


def run_in_real_time(main: Callable[[], object]) -> None:
    with asyncio.Runner() as runner:
        runner.run(main())  # type: ignore[arg-type] # a coroutine function


def test_a_file_system_that_hangs_fails_each_refresh_and_costs_one_thread() -> None:
    credentials = Hanging()

    async def main() -> None:
        host = host_of(Api(OK), credentials, clock=SystemClock())
        for _ in range(3):
            with pytest.raises(CredentialsError, match=r"could not be read within the `refresh_"):
                await host.begin(timeout=0.02)
        assert credentials.reads == 1
        credentials.released.set()
        await host.begin(timeout=30)
        await host.begin(timeout=30)
        assert credentials.reads == 2

    run_in_real_time(main)
