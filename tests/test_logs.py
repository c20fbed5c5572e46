from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

import pytest
import structlog

from exporter import logs, redaction
from tests.logged import captured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "cflt" + "Aa0+/" * 12


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    with captured(capsys) as log:
        yield log


def test_logfmt_has_the_usual_keys_in_the_usual_order(written: Callable[[], str]) -> None:
    logs.set_up()
    structlog.get_logger("x").warning("a message", organization="acme", other=1, another="b c")
    line = written()
    assert line.startswith("time=20")
    assert re.fullmatch(
        r'level=warn source=test_logs\.py:\d+ msg="a message" organization=acme another="b c"'
        r" other=1\n",
        line.partition(" ")[2],
    )


def test_logfmt_spells_out_booleans(written: Callable[[], str]) -> None:
    logs.set_up()
    structlog.get_logger("x").info("loaded", tls=True, users=False)
    assert written().endswith(" msg=loaded tls=true users=false\n")


def test_anything_like_a_secret_is_redacted_everywhere(written: Callable[[], str]) -> None:
    logs.set_up(form="json")
    log = structlog.get_logger("x")
    message = f"msg {SECRET}"
    log.info(message, value=f"x{SECRET}y")
    logging.getLogger("a library").error("said %s", SECRET)
    log.error("failed", exc_info=ValueError(SECRET))
    text = written()
    assert text.count("<redacted>") == 4
    assert SECRET not in text


def test_a_registered_secret_is_redacted_everywhere(written: Callable[[], str]) -> None:
    redaction.register("known+secret/1", user="KEY")
    logs.set_up(form="json")
    log = structlog.get_logger("x")
    log.info("known+secret/1", value=["known+secret/1"], other={"known%2Bsecret%2f1": 1})
    logging.getLogger("a library").error("said %s", b"KEY:known+secret/1")
    log.error("failed", exc_info=ValueError("S0VZOmtub3duK3NlY3JldC8x"))
    text = written()
    assert text.count("<redacted>") == 5
    assert "secret" not in text
    assert "S0VZ" not in text


def test_log_lines_of_libraries_have_the_same_format(written: Callable[[], str]) -> None:
    logs.set_up(form="json")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    entry = json.loads(written())
    assert entry["source"].startswith("test_logs.py:")
    assert (entry["level"], entry["msg"]) == ("warn", "Invalid HTTP request received.")


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_each_level_filters_the_lines_below_it(
    written: Callable[[], str], level: str, lines: int
) -> None:
    logs.set_up(level=level)
    log = structlog.get_logger("x")
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("said")
    logging.getLogger("httpx").info("HTTP Request: GET https://…")
    assert len(written().splitlines()) == lines


def test_a_multiline_text_is_logged_as_one_line(written: Callable[[], str]) -> None:
    logs.set_up()
    structlog.get_logger("x").info("first\nsecond", error='a "b"\nc')
    assert len(written().splitlines()) == 1


def test_a_second_set_up_replaces_the_first(written: Callable[[], str]) -> None:
    logs.set_up(level="debug")
    structlog.get_logger("x").debug("first")
    assert "msg=first" in written()
    logs.set_up(level="error", form="json")
    structlog.get_logger("x").info("second")
    structlog.get_logger("x").error("third")
    (line,) = written().splitlines()
    assert json.loads(line)["msg"] == "third"


def test_a_record_that_cannot_be_rendered_is_one_line_without_secrets(
    written: Callable[[], str],
) -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError(SECRET)

    logs.set_up()
    logging.getLogger("a library").error("%s", Broken())
    (line,) = written().splitlines()
    assert line.startswith("Traceback")
    assert "ValueError: <redacted>" in line
