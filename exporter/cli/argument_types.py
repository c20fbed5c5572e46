"""What may follow a flag. Each function raises ``argparse.ArgumentTypeError`` with a sentence."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

from exporter.config.durations import parse_duration
from exporter.web.sockets import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator import Fault

T = TypeVar("T")
_MOST = 1_000_000


def address(text: str) -> str:
    """Return an address to listen on, such as ``:10049``."""
    _checked(parse_address, text)
    return text


def telemetry_path(text: str) -> str:
    """Return the path of the metrics."""
    if not text.startswith("/") or text.startswith("/-/") or set(text) & set("{}?# "):
        raise argparse.ArgumentTypeError(f"{text!r} is not a path like /metrics; /-/… is taken")
    return text


def log_level(text: str) -> str:
    """Return the name of a log level, in one spelling."""
    return {"warning": "warn"}.get(text.lower(), text.lower())


def duration(text: str) -> float:
    """Return seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def timeout(text: str) -> float:
    """Return seconds, more than 0."""
    seconds = duration(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is too short; expected at least `1ms`")
    return seconds


def count(text: str, *, least: int) -> int:
    """Return a whole number, at least ``least``."""
    return int(_between(least, _checked(int, text)))


def speed(text: str) -> float:
    """Return a factor, 0 or more."""
    return _between(0, _checked(float, text))


def rate_limit(text: str) -> str:
    """Return a rate limit of the simulator, or ``none``."""
    from exporter.simulator import parse_rate_limit  # noqa: PLC0415 # only for its own commands

    if text != "none":
        _checked(parse_rate_limit, text)
    return text


def fault(text: str) -> Fault:
    """Return a fault of the simulator."""
    from exporter.simulator import parse_fault  # noqa: PLC0415 # as above

    return _checked(parse_fault, text)


def _checked(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        said = f"{text!r} is not a number" if parse in {int, float} else str(error)
        raise argparse.ArgumentTypeError(said) from None


def _between(least: int, number: float) -> float:
    if not least <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"{number:g} is not between {least} and {_MOST}")
    return number
