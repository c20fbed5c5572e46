"""Reads the headers, users and rate limit of the web configuration."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from exporter.config.messages import hint_for
from exporter.config.web_values import WebRateLimit
from exporter.config.yaml_document import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.web_section import Section

HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The supported headers, with their allowed values; empty allows all values."""
_LONGEST_HEADER = 4096  # characters
_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_MIN_COST, _MAX_COST = 4, 15  # 15 takes about 2 s
_MOST_USERS = 1000
_LONGEST_NAME = 255  # characters
_NULLS = {"~", "null", "Null", "NULL"}
_GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_GO_UNITS["h"] = 3600.0
_GO_PART = r"([0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(ns|us|µs|μs|ms|s|m|h)"
_LONGEST_INTERVAL = 3600.0  # seconds
_LARGEST_BURST = 1_000_000


def read_headers(section: Section) -> Mapping[str, str]:
    """Return the headers in ``http_server_config``."""
    if section.boolean("http2", default=False):
        section.add_problem(
            "http2", "is not supported by this HTTP/1.1 server; write `false` or remove it"
        )
    headers: dict[str, str] = {}
    for name, value in (section.mapping("headers", of="names and values") or {}).items():
        if section.reading.has_too_many_problems():
            break
        problem = _header_problem(name, value)
        if problem:
            path = (*section.path, "headers", name)
            section.reading.add_problem(path, problem, known=HEADERS)
        elif value != "":
            headers[name] = str(value)
    return MappingProxyType(headers)


def _header_problem(name: str, value: object) -> str:
    if name not in HEADERS:
        return f"is not a supported header; expected one of {', '.join(HEADERS)}"
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # `X-XSS-Protection: 0` is common
    if not isinstance(value, str):
        return f"is {kind_of(value)}; expected a string{hint_for('string_type', value)}"
    if HEADERS[name] and value not in HEADERS[name]:
        return f"is not a valid value; expected {' or '.join(HEADERS[name])}"
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        return "is not a valid value; expected printable ASCII without leading or trailing space"
    if len(value) > _LONGEST_HEADER:
        return f"is too long; expected at most {_LONGEST_HEADER} characters"
    return ""


def read_users(section: Section) -> Mapping[str, str]:
    """Return the bcrypt hashes in ``basic_auth_users`` by user name."""
    users = section.mapping("basic_auth_users", of="user names and bcrypt hashes") or {}
    if len(users) > _MOST_USERS:
        message = f"has too many users; expected at most {_MOST_USERS}"
        section.add_problem("basic_auth_users", message)
        return {}
    valid: dict[str, str] = {}
    for name, value in users.items():
        if section.reading.has_too_many_problems():
            break
        problem = _name_problem(name) or _hash_problem(value)
        if problem:
            section.reading.add_problem((*section.path, "basic_auth_users", name), problem)
        else:
            valid[name] = str(value)
    return MappingProxyType(valid)


def _name_problem(name: str) -> str:
    if not name or len(name) > _LONGEST_NAME:
        return f"is not a valid user name; expected 1 to {_LONGEST_NAME} characters"
    if name in _NULLS:
        # exporter-toolkit reads them as an empty name, unless they are quoted.
        return "is not a valid user name, because it is null in YAML; choose another name"
    if ":" in name or not name.isprintable():
        # The name in a Basic header ends at the first colon (RFC 7617 §2).
        return "is not a valid user name; expected no colon and no control characters"
    return ""


def _hash_problem(value: object) -> str:
    if not isinstance(value, str):
        return f"is {kind_of(value)}; expected a bcrypt hash"
    match = _HASH.fullmatch(value)
    if match is not None and int(match[1]) < _MIN_COST:
        return f"has a bcrypt cost below {_MIN_COST}; hash the password again with a cost of 10"
    if match is None:
        return (
            "is not a bcrypt hash; expected the 60 characters that"
            " `htpasswd -nBC 10 NAME` prints after the colon"
        )
    if int(match[1]) > _MAX_COST:
        return (
            f"has a bcrypt cost above {_MAX_COST}, so each password check would take"
            " seconds; hash the password again with a cost of 10"
        )
    return ""


def read_rate_limit(section: Section) -> WebRateLimit | None:
    """Return ``rate_limit``; None for an interval of zero, as upstream, or with problems."""
    interval, burst = section.get("interval"), section.get("burst", 0)
    seconds = -1.0
    if interval is None:
        section.add_problem("interval", "is missing; expected a duration such as `1s`")
    else:
        try:
            seconds = _interval(interval)
        except ValueError as error:
            section.add_problem("interval", str(error))
    if not isinstance(burst, int) or isinstance(burst, bool):
        message = f"is {kind_of(burst)}; expected a whole number{hint_for('int_type', burst)}"
        section.add_problem("burst", message)
        return None
    if not 0 <= burst <= _LARGEST_BURST:
        section.add_problem("burst", f"is out of range; expected 1 to {_LARGEST_BURST}")
    elif seconds > 0 and not burst:
        section.add_problem(
            "burst", "is 0 unless it is set, which would reject every request; expected at least 1"
        )
    return WebRateLimit(seconds, burst) if seconds > 0 else None


def _interval(value: object) -> float:
    """Return the Go duration ``value`` in seconds, 0 or more."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if not isinstance(value, str):
        raise ValueError(f"is {kind_of(value)}; expected a duration with a unit, such as `1s`")  # noqa: TRY004 # caught above
    text = value.removeprefix("+")
    if text.startswith("-"):
        raise ValueError("is negative; expected a duration such as `1s`, or `0s` for no limit")
    if not re.fullmatch(f"0|(?:{_GO_PART}){{1,8}}", text):
        raise ValueError("is not a valid duration; expected one such as `100ms`, `1s` or `1m30s`")
    seconds = sum(float(number) * _GO_UNITS[unit] for number, unit in re.findall(_GO_PART, text))
    if seconds > _LONGEST_INTERVAL:
        raise ValueError("is too long; expected at most `1h`")
    return seconds
