"""Registered secrets are removed from text in every encoding."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from exporter import redaction
from exporter.escaping import one_line
from exporter.redaction import (
    REDACTED,
    Redactor,
    is_jwt,
    looks_like_a_secret,
    redacted,
    register,
    register_token,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "pass+word/42?"


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_registered", {})
    monkeypatch.setattr(redaction, "_tokens", {})
    monkeypatch.setattr(redaction, "_by_start", {})


@pytest.mark.parametrize(
    "encoded",
    [
        SECRET,
        base64.b64encode(f"USER:{SECRET}".encode()).decode(),
        base64.urlsafe_b64encode(f"USER:{SECRET}".encode()).decode().rstrip("="),
        quote(SECRET, safe=""),
        quote(quote(SECRET, safe=""), safe=""),
        json.dumps(SECRET).strip('"').replace("/", "\\/"),
        SECRET.replace("+", "\\u002B"),
    ],
)
def test_a_registered_secret_is_removed_in_every_encoding(encoded: str) -> None:
    text = f"before {encoded} after"
    assert redacted(text) == text
    redactor = register(SECRET, user="USER")
    assert redacted(text) == f"before {REDACTED} after"
    assert redactor.data(text.encode()) == f"before {REDACTED} after".encode()


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_a_secret_is_removed_from_base64_at_any_offset(offset: int) -> None:
    register(SECRET)
    encoded = base64.b64encode(b"x" * offset + SECRET.encode() + b"yy").decode()
    assert REDACTED in redacted(encoded)
    assert base64.b64encode(SECRET.encode())[4:12].decode() not in redacted(encoded)


def test_a_short_secret_is_removed_only_from_a_basic_header() -> None:
    register("word", user="USER")
    header = base64.b64encode(b"USER:word").decode()
    assert redacted(f"a word and {header}") == f"a word and {REDACTED}"


def test_text_without_the_secret_is_not_changed() -> None:
    redactor = Redactor(SECRET)
    assert redactor.text("pass word") == "pass word"
    assert redactor.data(b"\xff pass") == b"\xff pass"


def test_the_same_secret_has_one_redactor() -> None:
    first = register(SECRET, user="USER")
    assert register(SECRET, user="USER") is first
    assert register(SECRET, user="OTHER") is not first


def test_the_least_recently_registered_secret_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_MAX_REGISTERED", 2)
    # They begin with the same characters, and so share an entry of the index.
    secrets = [f"same-start-{number}-of-a-secret" for number in range(3)]
    register(secrets[0])
    register(secrets[1])
    register(secrets[0])
    register(secrets[2])
    assert [redacted(each) for each in secrets] == [REDACTED, secrets[1], REDACTED]
    register("another secret", user="A")
    register("yet another one", user="A")
    assert [redacted(each) for each in secrets] == secrets
    starts = {probe for probe, redactors in redaction._by_start.items() if not redactors}
    assert starts == set()  # nothing is left in the index of what was dropped


def test_no_number_of_tokens_displaces_another_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_MAX_REGISTERED", 2)
    register("password-of-the-proxy")
    tokens = [f"opaque-token-{number}" for number in range(5)]
    for token in tokens:
        register_token(token)
    assert redacted("password-of-the-proxy") == REDACTED
    assert [redacted(each) for each in tokens] == [*tokens[:3], REDACTED, REDACTED]


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(str, id="plain"),
        pytest.param(lambda text: base64.b64encode(text.encode()).decode(), id="base64"),
    ],
)
def test_the_longest_token_is_removed_before_its_line_is_truncated(
    encoded: Callable[[str], str],
) -> None:
    token = "".join(f"{number:015x}." for number in range(1024))
    assert len(token) == 16 * 1024
    assert REDACTED not in one_line(encoded(token), 64)
    register_token(token)
    assert one_line(encoded(token), 64).startswith(REDACTED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cflt", True),
        ("ABCDEFGH1234", True),
        ("abcdefgh12", False),  # too short
        ("abcdefghijkl1", False),  # one digit
        ("123456789012345", False),  # no letters
        ("abcdefghijKLMNOPQRST", True),
        ("abcdefghijklmnopqrst", False),  # one case
        ("a few ordinary words", False),
    ],
)
def test_what_looks_like_a_secret(text: str, *, expected: bool) -> None:
    assert looks_like_a_secret(text) is expected


HEADER, CLAIMS, SIGNATURE = "eyJhbGciOiJSUzI1NiJ9", "eyJzdWIiOiJtZSJ9", "c2ln-bmF0_dXJl"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HEADER}.{CLAIMS}.{SIGNATURE}", True),
        (f"{HEADER}.{CLAIMS}.", True),
        (f"{HEADER}.{CLAIMS}", True),
        (f"Bearer {HEADER}.{CLAIMS}.{SIGNATURE}", False),
        (f"{HEADER}.txt", False),
        ("eyJ.pem", False),
    ],
)
def test_what_is_a_jwt(text: str, *, expected: bool) -> None:
    assert is_jwt(text) is expected


@pytest.mark.parametrize(
    "token",
    [
        f"{HEADER}.{CLAIMS}.{SIGNATURE}",
        f"{HEADER}.{CLAIMS}.",  # without a signature
        f"{HEADER}.{CLAIMS}",  # cut off
        f"{HEADER}.a.b.c.{SIGNATURE}",  # encrypted
        f"{HEADER}%2E{CLAIMS}%2e{SIGNATURE}",
    ],
)
def test_what_looks_like_a_jwt_is_removed_although_nobody_registered_it(token: str) -> None:
    assert redacted(f"before {token} after") == f"before {REDACTED} after"


@pytest.mark.parametrize(
    "text", ["eyJhbGciOiJSUzI1NiJ9", "hey.Joe.you", "a page eyJpZCI6MX0= and."]
)
def test_text_that_is_not_a_jwt_stays(text: str) -> None:
    assert redacted(text) == text
