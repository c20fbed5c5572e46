"""Parsers for the values of flags. Each raises ``argparse.ArgumentTypeError`` for a bad value."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from exporter.config.durations import parse_duration
from exporter.config.urls import check_external_url
from exporter.web.sockets import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator import Fault

T = TypeVar("T")
_MAX = 1_000_000


def address(text: str) -> str:
    """Return ``text`` if it is an address to listen on, such as ``:10049``."""
    _parse(parse_address, text)
    return text


def telemetry_path(text: str) -> str:
    """Return ``text`` if it is a path that the metrics can have."""
    if not text.startswith("/") or text.startswith(("/-/", "/keys")) or set(text) & set("{}?# "):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a path such as /metrics. Paths that begin with /-/ or /keys are"
            " reserved"
        )
    return text


def file_path(text: str) -> Path:
    """Return the path ``text`` if it is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty; expected the path of a file")
    return Path(text)


def external_url(text: str) -> str:
    """Return ``text`` without trailing slashes if links to the exporter can start with it."""
    try:
        return check_external_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"the URL {error}") from None


def log_level(text: str) -> str:
    """Return the name of a log level in lower case; ``warn`` for ``warning``."""
    return {"warning": "warn"}.get(text.lower(), text.lower())


def duration(text: str) -> float:
    """Return the seconds of a duration such as ``90d``."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def timeout(text: str) -> float:
    """Return the seconds of a duration that is greater than 0."""
    seconds = duration(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is too short; expected at least `1ms`")
    return seconds


def count(text: str, *, minimum: int) -> int:
    """Return a whole number from ``minimum`` to one million."""
    return int(_between(minimum, _parse(int, text)))


def speed(text: str) -> float:
    """Return a factor from 0 to one million."""
    return _between(0, _parse(float, text))


def rate_limit(text: str) -> str:
    """Return ``text`` if it is a rate limit such as ``120/60s``, or ``none``."""
    from exporter.simulator import parse_rate_limit  # noqa: PLC0415 # only for `simulate`

    if text != "none":
        _parse(parse_rate_limit, text)
    return text


def machines(text: str) -> tuple[str, ...]:
    """Return the names of the simulated machines in ``text``, a list separated by commas."""
    from exporter.simulator import MACHINES  # noqa: PLC0415 # as above

    names = tuple(dict.fromkeys(each.strip() for each in text.split(",")))
    for name in names:
        if name not in MACHINES:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of: {', '.join(MACHINES)}")
    return names


def fault(text: str) -> Fault:
    """Return a fault for the simulator to inject."""
    from exporter.simulator import parse_fault  # noqa: PLC0415 # as above

    return _parse(parse_fault, text)


def _parse(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        message = f"{text!r} is not a number" if parse in {int, float} else str(error)
        raise argparse.ArgumentTypeError(message) from None


def _between(minimum: int, number: float) -> float:
    if not minimum <= number <= _MAX:
        raise argparse.ArgumentTypeError(f"{number} is not between {minimum} and {_MAX}")
    return number
