from __future__ import annotations

import copy
import json
import os
import pickle
from typing import TYPE_CHECKING

import pytest

from exporter.config import ApiKeyCredentials, Secret
from exporter.config.secrets import FromEnvironment, FromFile, Inline
from exporter.errors import CredentialsError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "cfltUNPRINTABLE"


def test_a_secret_can_be_revealed() -> None:
    assert Secret(TEXT).reveal() == TEXT


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(TEXT)),
        str(Secret(TEXT)),
        f"{Secret(TEXT)}",
        f"{Secret(TEXT)!r:>40}",
        f"{Secret(TEXT):>40}",
        "%s %r" % (Secret(TEXT), Secret(TEXT)),  # noqa: UP031 # the spelling is what is tested
        "{} {!s:.3}".format(Secret(TEXT), Secret(TEXT)),  # noqa: UP032 # as above
        str([Secret(TEXT)]),
        str({"secret": Secret(TEXT)}),
        str(ValueError(Secret(TEXT))),
        json.dumps({"secret": Secret(TEXT)}, default=str),
        repr(copy.copy(Secret(TEXT))),
        repr(copy.deepcopy([Secret(TEXT)])),
    ],
)
def test_a_secret_does_not_print_itself(shown: str) -> None:
    assert "*" in shown
    assert "UNPRINTABLE" not in shown
    assert "cflt" not in shown


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="secrets cannot be pickled"):
        pickle.dumps(Secret(TEXT), protocol)


def test_a_secret_cannot_be_encoded_as_json() -> None:
    with pytest.raises(TypeError, match=r"^(?!.*UNPRINTABLE)"):
        json.dumps(Secret(TEXT))


def test_a_secret_has_no_dictionary_to_dump() -> None:
    with pytest.raises(TypeError):
        vars(Secret(TEXT))


def test_secrets_are_equal_by_text() -> None:
    assert Secret("ä") == Secret("ä")
    assert Secret("ä") != Secret("b")
    assert Secret(TEXT) != TEXT
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_copied_secret_is_still_the_secret() -> None:
    assert copy.deepcopy(Secret(TEXT)).reveal() == TEXT


def _from_file(path: Path) -> ApiKeyCredentials:
    return ApiKeyCredentials(api_key=Inline("KEYID"), api_secret=FromFile(path))


def test_a_rotated_file_is_read_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("first\n")
    credentials = _from_file(path)
    assert credentials.read() == ("KEYID", Secret("first"))
    path.write_text("second\n")
    assert credentials.read() == ("KEYID", Secret("second"))


def test_a_rotated_variable_is_read_without_a_restart() -> None:
    environ = {"KEY": "first", "SECRET": "1"}
    credentials = ApiKeyCredentials(
        api_key=FromEnvironment("KEY", environ), api_secret=FromEnvironment("SECRET", environ)
    )
    assert credentials.read() == ("first", Secret("1"))
    environ.update(KEY="second", SECRET="2")
    assert credentials.read() == ("second", Secret("2"))


@pytest.mark.parametrize(
    "data", [b"value", b"value\n", b"value\r\n", b" value \n\n", b"\xef\xbb\xbfvalue\n"]
)
def test_white_space_around_a_secret_is_not_part_of_it(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(data)
    assert _from_file(path).read()[1] == Secret("value")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty; expected the value"),
        (b" \n", "is empty; expected the value"),
        (b"UNPRINTABLE UNPRINTABLE", "contains white space or control characters"),
        (b"UNPRINTABLE\nUNPRINTABLE", "contains white space or control characters"),
        (b'"UNPRINTABLE"\n', "has quotation marks around the value; remove"),
        ("\u201cUNPRINTABLE\u201d".encode(), "has quotation marks around the value; remove"),
        (b'"', "has quotation marks around the value; remove"),
        (b"UNPRINTABLE\0", "contains white space or control characters"),
        (b"UNPRINTABLE\xff", "is not valid UTF-8"),
        (b"UNPRINTABLE" * 6000, "is larger than 64 KiB"),
    ],
)
def test_an_invalid_file_is_reported_without_its_content(
    tmp_path: Path, data: bytes, problem: str
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(data)
    with pytest.raises(CredentialsError) as caught:
        _from_file(path).read()
    assert str(caught.value).startswith(f"the API secret: file {path} {problem}")
    assert "UNPRINTABLE" not in repr(caught.value) + repr(caught.value.__context__)


@pytest.mark.parametrize("text", ['"value', "value'", 'va"lue', "va'l'ue"])
def test_a_quotation_mark_elsewhere_is_part_of_a_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text)
    assert _from_file(tmp_path / "secret").read()[1] == Secret(text)


def test_a_file_that_every_user_may_read_or_change_is_exposed(tmp_path: Path) -> None:
    path, link = tmp_path / "secret", tmp_path / "link"
    path.write_text("value")
    link.symlink_to("secret")
    for mode in (0o644, 0o604, 0o602):
        path.chmod(mode)
        assert _from_file(path).exposed_file() == path
        assert _from_file(link).exposed_file() == link
    for mode in (0o600, 0o640, 0o440, 0o601):
        path.chmod(mode)
        assert _from_file(path).exposed_file() is None


def test_a_missing_file_and_a_variable_are_not_exposed(tmp_path: Path) -> None:
    assert _from_file(tmp_path / "gone").exposed_file() is None
    assert ApiKeyCredentials(Inline("KEYID"), FromEnvironment("X", {})).exposed_file() is None


def test_a_file_of_64_kib_is_read(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x" * 65_536)
    assert len(_from_file(path).read()[1].reveal()) == 65_536


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"/gone does not exist; relative paths start at"):
        _from_file(tmp_path / "gone").read()


def test_a_directory_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="is a directory; expected a file"):
        _from_file(tmp_path).read()


def test_a_fifo_is_rejected_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CredentialsError, match="not a regular file"):
        _from_file(tmp_path / "pipe").read()


def test_an_unreadable_file_is_rejected(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "secret"
    path.write_text("UNPRINTABLE")
    path.chmod(0)
    request.getfixturevalue("unprivileged")
    with pytest.raises(CredentialsError, match="is not readable; make it readable"):
        _from_file(path).read()


def test_a_missing_variable_is_reported() -> None:
    credentials = ApiKeyCredentials(
        api_key=FromEnvironment("ACME_KEY", {}), api_secret=Inline("UNPRINTABLE")
    )
    with pytest.raises(CredentialsError) as caught:
        credentials.read()
    assert str(caught.value) == (
        "the API key: environment variable ACME_KEY is not set; set it, or use another variable"
    )


def test_a_key_id_with_a_secret_attached_is_rejected() -> None:
    credentials = ApiKeyCredentials(api_key=Inline("KEYID:UNPRINTABLE"), api_secret=Inline("x"))
    with pytest.raises(CredentialsError) as caught:
        credentials.read()
    assert str(caught.value) == (
        "the API key: the value in the configuration contains a colon; expected only the id of the"
        " API key, without the secret"
    )


def test_credentials_show_their_sources_but_not_the_environment() -> None:
    environ = {"KEY": "KEYID", "OTHER": "UNPRINTABLE"}
    credentials = ApiKeyCredentials(
        api_key=FromEnvironment("KEY", environ), api_secret=Inline("UNPRINTABLE")
    )
    assert "variable='KEY'" in repr(credentials)
    assert "UNPRINTABLE" not in repr(credentials)
    assert "KEYID" not in f"{credentials}"
