"""The header ``Authorization: Basic`` of hostile and of well-behaved clients."""

from __future__ import annotations

from base64 import b64decode, b64encode

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.basic_auth import Credentials, parse_authorization


def basic(text: bytes, *, scheme: bytes = b"Basic") -> bytes:
    return scheme + b" " + b64encode(text)


@pytest.mark.parametrize("scheme", [b"Basic", b"basic", b"BASIC"])
def test_user_and_password(scheme: bytes) -> None:
    value = basic(b"alice:se:cret", scheme=scheme)
    assert parse_authorization([value]) == Credentials("alice", b"se:cret")


def test_the_example_of_the_standard() -> None:
    # RFC 7617 sections 2 and 2.1
    aladdin, test = b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", b"Basic dGVzdDoxMjPCow=="
    assert parse_authorization([aladdin]) == ("Aladdin", b"open sesame")
    assert parse_authorization([test]) == ("test", "123£".encode())


def test_a_password_has_at_most_72_bytes() -> None:
    assert parse_authorization([basic(b"alice:" + b"x" * 72)]) == ("alice", b"x" * 72)
    assert parse_authorization([basic(b"alice:" + b"x" * 73)]) is None
    assert parse_authorization([basic(b"alice:" + "é".encode() * 37)]) is None


def test_the_user_name_may_be_long_or_empty() -> None:
    assert parse_authorization([basic(b"a" * 5000 + b":b")]) == ("a" * 5000, b"b")
    assert parse_authorization([basic(b":b")]) == ("", b"b")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Basic",
        b"Basic ",
        b"Basic alice:secret",
        b"Basic YWxpY2U=6c2VjcmV0",
        b"Basic YWxpY2U6c2VjcmV",
        b"Basic YWxpY2U6\xffc2VjcmV0",
        b"Basic YWxp Y2U6c2VjcmV0",
        b"Basic\tYWxpY2U6c2VjcmV0",
        b"YWxpY2U6c2VjcmV0",
        b"Bearer YWxpY2U6c2VjcmV0",
        b'Digest username="alice"',
        basic(b"alice"),
        basic(b"alice:"),
        basic(b"alice:\xff"),
        basic(b"\xff:secret"),
        basic(b"alice:secret\xed\xa0\x80"),
        basic(b"alice:abc\0abc"),
        basic(b"al\0ice:secret"),
        basic(b"x" * 30_000),
    ],
)
def test_malformed_headers_are_no_credentials(value: bytes) -> None:
    assert parse_authorization([value]) is None


def test_exactly_one_header_is_expected() -> None:
    right = basic(b"alice:secret")
    assert parse_authorization([]) is None
    assert parse_authorization([right, right]) is None
    assert parse_authorization([right, b""]) is None


def test_bcrypt_would_accept_a_password_that_is_repeated_after_a_nul() -> None:
    hashed = bcrypt.hashpw(b"abc", bcrypt.gensalt(4))
    assert bcrypt.checkpw(b"abc\0abc", hashed)  # the reason to reject NUL


def test_the_password_does_not_appear_in_the_representation() -> None:
    assert "secret" not in repr(Credentials("alice", b"secret"))


@given(st.lists(st.binary(max_size=100) | st.binary(max_size=100).map(basic), max_size=3))
def test_any_headers_are_credentials_or_none(values: list[bytes]) -> None:
    found = parse_authorization(values)
    if found is not None:
        assert len(values) == 1
        assert found.user.encode() + b":" + found.password == b64decode(values[0][6:])
