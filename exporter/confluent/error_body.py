"""The message in the body of an error; docs/confluent-cloud-api.md#errors."""

from __future__ import annotations

import msgspec

from exporter.escaping import one_line
from exporter.redaction import redacted

_MAX_LENGTH = 200
"""Characters of a message."""


class _Detail(msgspec.Struct, gc=False):
    code: str | int | None = None
    title: str | None = None
    detail: str | None = None
    message: str | None = None


class _ErrorBody(msgspec.Struct, gc=False):
    """The union of the shapes that the API, its gateways and identity providers send."""

    errors: list[_Detail] | None = None
    error: _Detail | str | None = None
    error_description: str | None = None
    """Of OAuth errors (RFC 6749 §5.2)."""
    message: str | None = None


_DECODER = msgspec.json.Decoder(_ErrorBody)


def error_message(body: bytes) -> str:
    """Return the message in ``body``, in one printable line of at most 200 characters.

    Empty if the body has none of the known shapes: HTML pages do not help.
    """
    try:
        parsed = _DECODER.decode(body)
    except (ValueError, RecursionError):
        return ""
    details = list(parsed.errors or ())
    if isinstance(parsed.error, _Detail):
        details.append(parsed.error)
    texts = [
        text
        for detail in details
        for text in (detail.code, detail.title, detail.detail, detail.message)
        if isinstance(text, str) and text
    ]
    others = (parsed.error, parsed.error_description, parsed.message)
    texts += [text for text in others if isinstance(text, str) and text]
    # A token may be longer than one_line() looks ahead, and a part of it would not be recognized.
    return one_line(redacted(": ".join(dict.fromkeys(texts))), _MAX_LENGTH)
