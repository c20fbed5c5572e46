"""Answers of token endpoints, the lifetime of a token, and the claims that messages show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.confluent.tokens import Token, describe_claims, parse_token
from tests.jwts import jwt

NOW = 1_790_000_000
TEXT = "an-access-token.of~the_STS+/=="


def parsed(default_lifetime: float = 900, *, bearer: bool = False, **members: Any) -> Token:
    """Return the token in an answer that was requested at the monotonic time 1000."""
    body = json.dumps({"access_token": TEXT, **members}).encode()
    return parse_token(body, requested_at=1000, default_lifetime=default_lifetime, bearer=bearer)


@pytest.mark.parametrize(
    ("expires_in", "renew_at", "expires"),
    [
        (900, 1840, 1900),
        (3600, 4540, 4600),  # more than is documented; the answer decides
        (900.5, 1840.5, 1900.5),
        ("900", 1840, 1900),
        ("3599.5", 4539.5, 4599.5),
        (120, 1060, 1120),
        (119, 1059.5, 1119),  # half of a short lifetime
        (60, 1030, 1060),
        (1, 1000.5, 1001),
        (10**12, 87_340, 87_400),  # a day at most
        (1e300, 87_340, 87_400),
        pytest.param(10**400, 87_340, 87_400, id="more than a float holds"),
    ],
)
def test_a_token_is_renewed_a_minute_before_it_expires_or_after_half_of_a_short_lifetime(
    expires_in: object, renew_at: float, expires: float
) -> None:
    token = parsed(expires_in=expires_in)
    assert (token.renew_at, token.expires) == (renew_at, expires)
    assert token.secret.reveal() == TEXT


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"expires_in": None},
        {"expires_in": "soon"},
        {"expires_in": "-5"},
        {"expires_in": "1e999"},
        {"expires_in": "9" * 400},
        {"expires_in": True},
        {"expires_in": [900]},
    ],
)
def test_an_answer_without_a_usable_lifetime_gets_the_default(members: dict[str, Any]) -> None:
    assert (parsed(**members).renew_at, parsed(**members).expires) == (1840, 1900)
    assert parsed(0, **members).renew_at == 1000  # used once


@pytest.mark.parametrize(
    "expires_in", [0, -1, 0.0, "0", "0.0", -1e300, pytest.param(-(10**400), id="less")]
)
def test_a_token_without_lifetime_is_not_used(expires_in: object) -> None:
    with pytest.raises(ValueError, match="already expired: expires_in in the answer is not pos"):
        parsed(expires_in=expires_in)


def test_unknown_members_are_ignored() -> None:
    token = parsed(
        bearer=True,
        token_type="bearer",
        issued_token_type="urn:x",
        expires_in=60,
        ext_expires_in="x",
        scope=["a"],
    )
    assert token.expires == 1060


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"token"',
        b"<html>",
        b"\xff\xfe",
        b"{}",
        b'{"access_token": null}',
        b'{"access_token": 12345}',
        b'{"access_token": {"x": "top-secret-value"}}',
        b'{"access_token": "top-secret-value", "token_type": 7}',
        b"[" * 100_000,
    ],
)
def test_an_answer_without_a_token_is_refused_and_not_quoted(body: bytes) -> None:
    with pytest.raises(ValueError, match="no usable access_token") as refused:
        parse_token(body, requested_at=0, default_lifetime=900)
    assert "top-secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "two words", "a\r\nX-Injected: 1", "ü", "=", "x" * 16_385])
def test_a_token_that_no_header_can_carry_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="characters that a header must not have") as refused:
        parsed(access_token=text)
    assert text == "" or text not in str(refused.value).replace("access_token in", "")


@pytest.mark.parametrize("kind", [None, "", "mac", "DPoP"])
def test_only_a_bearer_token_authenticates_requests(kind: str | None) -> None:
    with pytest.raises(ValueError, match="token_type in the answer is not Bearer"):
        parsed(bearer=True, token_type=kind)
    assert parsed(token_type=kind).secret.reveal() == TEXT


def test_a_token_does_not_show_itself() -> None:
    assert TEXT not in repr(parsed())


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        (
            {"iss": "https://idp", "aud": "confluent", "sub": "me", "exp": NOW + 1, "jti": "x"},
            "The token has iss `https://idp`, aud `confluent`, sub `me`",
        ),
        ({"aud": ["a", "b"], "exp": True}, 'The token has aud `["a","b"]`'),
        ({"exp": 10**400}, "The token has no iss, aud or sub"),
        ({"exp": -1}, "The token has no iss, aud or sub"),
        (
            {"sub": "me", "exp": NOW},
            (
                "The token has sub `me`. It expired at 2026-09-21T14:13:20Z: check what renews it,"
                " and the clock of this machine"
            ),
        ),
        (
            {"sub": "me", "nbf": NOW + 60, "exp": NOW + 600},
            (
                "The token has sub `me`. It is not valid before 2026-09-21T14:14:20Z: check the"
                " clocks of the identity provider and of this machine"
            ),
        ),
        ({"sub": "me", "nbf": NOW, "exp": 10**17}, "The token has sub `me`"),
        ({"iss": "a\nb\x1b[31m"}, r"The token has iss `a\nb\u001b[31m`"),
        ({"sub": "s" * 500}, f"The token has sub `{'s' * 119}…`"),
    ],
)
def test_the_claims_that_a_pool_compares_are_shown(claims: object, text: str) -> None:
    assert describe_claims(jwt(claims), wall=NOW) == text


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b",
        "a.b.c.d.e",
        "a.!!.c",
        "a.é.c",
        jwt([1]),
        jwt("x"),
        f"a.{'W' * 40_000}.c",
    ],
)
def test_a_token_that_is_not_a_jwt_has_no_claims(token: str) -> None:
    assert describe_claims(token, wall=NOW) == "The token is not a JWT"
