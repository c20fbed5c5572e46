"""What can go wrong on purpose: the grammar of a fault. Their effects are in ``effects``.

::

    SPEC = name[:argument][:probability][@PATH]        429:0.1   slow:2s:0.1   403@/iam/v2/users
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from exporter.simulator.durations import parse_duration
from exporter.simulator.paths import PATHS

FAULTS: dict[str, str] = {
    "429": "the rate limit is said to be reached; an argument such as 5s sets Retry-After",
    "500": "a JSON error of the server",
    "slow": "the answer comes late; the argument is the delay, 2s if it is left out",
    "html502": "an HTML page of a proxy",
    "reset": "the connection breaks in the middle of the body",
    "truncated": "a complete answer whose JSON is cut off",
    "loop": "metadata.next leads to the same page again",
    "foreign-next": "metadata.next names another host, as behind a gateway; harmless",
    "shrink": "the role cannot see about half of the items any more, with a 200",
    "401": "the credentials are not accepted",
    "403": "the credentials are accepted, the role is missing",
    "forbidden-key": "a 403 that means an invalid API key",
    "gzip-error": "a 500 whose body is gzip, without Content-Encoding",
    "array": "a JSON array instead of the envelope",
    "notoken": "metadata.next has no page_token",
    "redirect": "a 307 to the same address, or with the argument foreign to another host",
    "no-headers": "no X-RateLimit-* and no Retry-After headers",
    "garbled-headers": "X-RateLimit-* and Retry-After headers that mean nothing",
}
"""Every fault and what it does, in a line of help."""

FAULT_GRAMMAR = """\
SPEC is name[:argument][:probability][@PATH], such as
  429:0.1             every tenth request
  slow:2s:0.1         every tenth request, by two seconds
  403@/iam/v2/users   every request to that endpoint, and none to others"""
"""How a SPEC is written, in lines of help."""

DEFAULT_DELAY = 2.0
_WITH_DURATION = frozenset({"429", "slow"})
_FOREIGN = "foreign"


@dataclass(frozen=True)
class Fault:
    """One fault that befalls a request with ``probability``.

    ``seconds``: the delay of ``slow``, the ``Retry-After`` of ``429``; None for the default.
    ``foreign``: the other variant of ``redirect``. ``path``: the endpoint whose requests it may
    befall, one of :data:`exporter.simulator.paths.PATHS`; None for all of them.
    """

    name: str
    probability: float = 1.0
    seconds: float | None = None
    foreign: bool = False
    path: str | None = None


def parse_fault(spec: str) -> Fault:
    """Return the fault that ``spec`` stands for.

    Raises ``ValueError`` with a sentence that says what is wrong and what there is.
    """
    words, at, path = spec.partition("@")
    if at and path not in PATHS:
        raise _refusal(spec, f"there is no endpoint {path!r}, only {', '.join(PATHS)}")
    return replace(_parse(spec, words), path=path if at else None)


def _parse(spec: str, words: str) -> Fault:
    name, *parts = words.split(":")
    if name not in FAULTS:
        raise _refusal(spec, f"there is no fault {name!r}")
    probability = 1.0
    if parts and (number := _number(parts[-1])) is not None:
        if not 0 <= number <= 1:
            raise _refusal(spec, f"the probability {parts[-1]} is not between 0 and 1")
        probability = number
        parts.pop()
    if not parts:
        return Fault(name, probability)
    argument = parts.pop(0)
    if parts:
        raise _refusal(spec, f"{parts[0]!r} is one part too many or not a probability")
    if name == "redirect" and argument == _FOREIGN:
        return Fault(name, probability, foreign=True)
    if name in _WITH_DURATION and (seconds := parse_duration(argument)) is not None:
        return Fault(name, probability, seconds=seconds)
    raise _refusal(spec, f"{argument!r} is neither an argument of {name} nor a probability")


def _refusal(spec: str, problem: str) -> ValueError:
    return ValueError(
        f"{spec!r} is not a fault: {problem}. Write name[:argument][:probability][@PATH], such as"
        f" 429:0.1, slow:2s:0.1 or 403@/iam/v2/users, with one of the names {', '.join(FAULTS)}"
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
