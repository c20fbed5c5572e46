"""What a redactor removes, and how many secrets are remembered."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from exporter import redaction

if TYPE_CHECKING:
    import pytest


def test_a_short_secret_is_removed_from_basic_headers_only() -> None:
    redactor = redaction.Redactor("short", user="KEY")
    header = b64encode(b"KEY:short").decode()
    assert redactor.text(f"a short text, Basic {header}") == "a short text, Basic <redacted>"
    assert redactor.data(f"a short text, Basic {header}".encode()) == (
        b"a short text, Basic <redacted>"
    )


def test_the_secret_that_was_registered_longest_ago_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redaction, "_known", {})
    monkeypatch.setattr(redaction, "_by_start", {})
    monkeypatch.setattr(redaction, "_MOST_KNOWN", 2)
    redaction.register("first.secret")
    redaction.register("other.secret")
    redaction.register("first.secret")  # used again, and so the later of the two
    assert redaction.redacted("first.secret other.secret") == "<redacted> <redacted>"
    redaction.register("third.secret")
    assert redaction.redacted("first.secret other.secret third.secret") == (
        "<redacted> other.secret <redacted>"
    )
