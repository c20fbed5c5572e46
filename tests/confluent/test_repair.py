from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.confluent.repair import Repair
from exporter.confluent.wire import Named, PageDecoder

_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**60), 10**60),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


@given(value=_VALUES, escaped=st.booleans(), indent=st.sampled_from([None, 1]))
def test_valid_values_are_not_changed(value: object, *, escaped: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    assert json.loads(Repair()(text.encode())) == value


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\udc00\ud83d\ud83d\ude00"', "\ufffd\ufffd\N{GRINNING FACE}"),
        (rb'"\\ud83d"', "\\ud83d"),
        (rb'"\q\u12"', "\ufffd\ufffd12"),
        (b'"\xff \xf0\x9f \xc3\xa9"', "\ufffd \ufffd \u00e9"),
        (b'"a\tb\x00c"', "a\tb\0c"),
        (b"[NaN, -Infinity, 1e999, 01, 1., 12]", [None, None, None, None, None, 12]),
        (b"9" * 5000, None),
        (b'"' + b"\xff" * 70_000 + b'"', "\ufffd"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_broken_parts_of_a_value_are_replaced(written: bytes, read: object) -> None:
    assert json.loads(Repair()(written)) == read


@pytest.mark.parametrize("body", [b"[1 2]", b'["a" "b"]', b"[1,]", b"[tr ue]", b"[[}]"])
def test_the_structure_is_not_repaired(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Illegal trailing comma"):  # as of Python 3.13
        json.loads(Repair()(body))


@given(st.integers(0, 1000), st.sampled_from([("[", "]"), ('{"a":', "}"), ('[{"a":[', "]}]")]))
def test_excessive_nesting_is_cut_off(depth: int, brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    written = f'[{opening * depth}"x"{closing * depth}, "after"]'
    _, after = json.loads(Repair()(written.encode()))
    assert after == "after"


@given(_VALUES, st.integers(0, 1000))
def test_a_truncated_body_stays_unreadable(value: object, cut: int) -> None:
    body = json.dumps({"data": [], "metadata": {}, "more": value}).encode()
    with pytest.raises(ValueError, match="the body is not"):
        PageDecoder(Named).decode(body[: min(cut, len(body) - 1)])


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":[' + b"[]," * 1_000_000,
        b'{"data":["' + b'\\"' * 2_000_000,
        b'{"data":[{"id":"' + b"\\q" * 2_000_000 + b'"}], "metadata": {}}',
        b'{"data":[{"id":"' + b"\xff" * 4_000_000 + b'"}], "metadata": {}}',
    ],
    ids=["brackets", "a string without an end", "escapes", "bytes"],
)
def test_a_page_that_is_broken_everywhere_takes_bounded_time(body: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(ValueError):
        Repair()(body)
    assert time.process_time() - began < 1
