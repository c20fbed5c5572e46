"""The values of the flags ``--rate-limit`` and ``--fault``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from exporter.simulator.paths import METRICS_PATHS, PATHS, TOKEN_PATHS

FAULTS: dict[str, str] = {
    "429": "the rate limit is reached; an argument such as 5s sets Retry-After",
    "500": "a server error in JSON",
    "slow": "a delayed response; the argument is the delay, by default 2s",
    "html502": "an HTML page from a proxy",
    "reset": "the connection breaks in the middle of the body",
    "truncated": "a complete response with truncated JSON",
    "loop": "metadata.next points to the same page",
    "foreign-next": "metadata.next names another host, as behind a gateway; harmless",
    "shrink": "about half of the items are hidden, as after the loss of a role",
    "401": "the credentials are not accepted",
    "403": "the credentials are accepted, but the role is missing",
    "forbidden-key": "a 403 that means an invalid API key",
    "gzip-error": "a 500 with a gzip body, without Content-Encoding",
    "array": "a JSON array instead of the envelope",
    "notoken": "metadata.next has no page_token",
    "redirect": "a 307 to the same address, or, with the argument foreign, to another host",
    "no-headers": "no X-RateLimit-* and no Retry-After headers",
    "garbled-headers": "X-RateLimit-* and Retry-After headers with meaningless values",
    "refused": "a token endpoint refuses the token or the client with a 400",
    "expires-in": "expires_in of a token is a string, or, with an argument, zero, negative, null"
    " or missing",
    "token-type": "token_type of a token is MAC instead of Bearer",
    "no-access-token": "the response of a token endpoint has no access_token",
    "extra-fields": "the response of a token endpoint has unknown fields",
    "revoked": "a bearer token is revoked before it expires, so the API answers 401",
    "empty": "an answer of the Metrics API without data",
    "cut": "an answer of the Metrics API ends after half of its groups, without a next page",
    "fewer-groups": "a page of the Metrics API has at most half of the groups asked for",
    "late": "the Metrics API has no data of the latest hour, or of the duration in the argument",
    "nan": "the Metrics API has rows for buckets without requests, with NaN as a string, or, with"
    " an argument, literal or zero",
    "extra-labels": "rows of the Metrics API have labels that were not asked for",
    "expired-token": "the page token of a query has expired, so the Metrics API answers 400",
}
"""Every fault with a line of help."""
EXPIRES_IN = ("string", "zero", "negative", "null", "missing")
"""The arguments of ``expires-in``; the first is the default."""
IDLE_VALUES = ("string", "literal", "zero")
"""The arguments of ``nan``; the first is the default."""

FAULT_GRAMMAR = """\
SPEC is name[:argument][:probability][@PATH], such as
  429:0.1             10% of requests
  slow:2s:0.1         10% of requests, delayed by two seconds
  403@/iam/v2/users   every request to that endpoint only"""
"""The syntax of a SPEC, in lines of help."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RATE = re.compile(r"(\d{1,9})/(\S+)")
_WITH_DURATION = frozenset({"429", "slow", "late"})
_VALUES = {"expires-in": EXPIRES_IN, "nan": IDLE_VALUES}


@dataclass(frozen=True)
class SimulatedRateLimit:
    """At most ``limit`` requests in each ``seconds``."""

    limit: int
    seconds: float

    def __post_init__(self) -> None:
        if self.limit < 1 or not 0 < self.seconds < math.inf:
            raise ValueError("a rate limit is at least 1 request per more than 0 seconds")


@dataclass(frozen=True)
class Fault:
    """A fault that affects a request with ``probability``.

    ``seconds``: the delay of ``slow`` and ``late``, the ``Retry-After`` of ``429``; None for the
    default. ``foreign``: ``redirect`` leads to another host. ``value``: of ``expires-in``, one of
    :data:`EXPIRES_IN`; of ``nan``, one of :data:`IDLE_VALUES`. ``path``: the only endpoint that is
    affected; None for all of them.
    """

    name: str
    probability: float = 1.0
    seconds: float | None = None
    foreign: bool = False
    value: str = EXPIRES_IN[0]
    path: str | None = None


def parse_rate_limit(text: str) -> SimulatedRateLimit:
    """Return the rate limit for a text such as ``120/60s``. Raises ``ValueError``."""
    match = _RATE.fullmatch(text)
    seconds = _duration(match[2]) if match else None
    if match is None or not seconds or int(match[1]) == 0:
        raise ValueError(f"{text!r} is not a rate limit; write requests/duration, such as 120/60s")
    return SimulatedRateLimit(int(match[1]), seconds)


def parse_fault(spec: str) -> Fault:
    """Return the fault for a SPEC. Raises ``ValueError`` with the problem and the known faults."""
    text, at, path = spec.partition("@")
    paths = (*PATHS, *TOKEN_PATHS, *METRICS_PATHS)
    if at and path not in paths:
        raise _error(spec, f"there is no endpoint {path!r}, only {', '.join(paths)}")
    return replace(_parse(spec, text), path=path if at else None)


def _parse(spec: str, text: str) -> Fault:
    name, *parts = text.split(":")
    if name not in FAULTS:
        raise _error(spec, f"there is no fault {name!r}")
    fault = Fault(name)
    if parts and (number := _number(parts[-1])) is not None:
        if not 0 <= number <= 1:
            raise _error(spec, f"the probability {parts[-1]} is not between 0 and 1")
        fault = replace(fault, probability=number)
        parts.pop()
    if not parts:
        return fault
    argument, *rest = parts
    if rest:
        raise _error(spec, f"{rest[0]!r} is one part too many or not a probability")
    if name == "redirect" and argument == "foreign":
        return replace(fault, foreign=True)
    if argument in _VALUES.get(name, ()):
        return replace(fault, value=argument)
    if name in _WITH_DURATION and (seconds := _duration(argument)) is not None:
        return replace(fault, seconds=seconds)
    raise _error(spec, f"{argument!r} is neither an argument of {name} nor a probability")


def _error(spec: str, problem: str) -> ValueError:
    return ValueError(
        f"{spec!r} is not a fault: {problem}. Write name[:argument][:probability][@PATH], such as"
        f" 429:0.1, slow:2s:0.1 or 403@/iam/v2/users, with one of the names {', '.join(FAULTS)}"
    )


def _duration(text: str) -> float | None:
    """Return the seconds of a duration such as ``1.5s`` or ``250ms``, or None."""
    match = _DURATION.fullmatch(text)
    return float(match[1]) * _SECONDS[match[2]] if match else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
