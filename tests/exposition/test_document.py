from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.checksum import checksum
from exporter.exposition.document import Block, Document, Section, assemble, chunk, chunks

LAYOUT = (Block("one", chunk(b"# one\n")), Block("two", chunk(b"# two\n")))
LARGE = "a line of some length\n" * 1000
LINES = st.text() | st.text().map(LARGE.__add__)
ORGANIZATIONS = st.lists(st.dictionaries(st.sampled_from(["one", "two", "unknown"]), LINES))


def laid_out(organizations: list[dict[str, str]]) -> bytes:
    """Return the plain document of ``organizations``."""
    lines = ""
    for key in ("one", "two"):
        if found := [each[key] for each in organizations if each.get(key)]:
            lines += f"# {key}\n" + "".join(found)
    return lines.encode()


@given(ORGANIZATIONS, ORGANIZATIONS, st.binary())
def test_a_document_is_one_gzip_member_with_every_line_in_order(
    kept: list[dict[str, str]], live: list[dict[str, str]], tail: bytes
) -> None:
    parts = [assemble(LAYOUT, [chunks(each, {}) for each in some], {}) for some in (kept, live)]
    document = Document([section for part in parts for section in part.values()])
    everything = laid_out(kept) + laid_out(live) + tail
    assert b"".join(document.plain(tail)) == everything
    member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    assert member.decompress(b"".join(document.gzip(tail))) == everything
    assert member.eof
    assert member.unused_data == b""


def test_the_size_in_a_gzip_member_is_modulo_2_to_the_32() -> None:
    huge = Section((), b"", 2**32 - 3, checksum(0, 2**32 - 3))
    assert int.from_bytes(b"".join(Document([huge]).gzip(b"tail\n"))[-4:], "little") == 2


def test_unchanged_lines_keep_their_chunk() -> None:
    before = chunks({"one": "a 1\n", "two": "a 2\n"}, {})
    after = chunks({"one": "a 1\n", "two": "a 3\n"}, before)
    assert after["one"] is before["one"]
    assert after["two"].plain == b"a 3\n"


def test_a_section_of_unchanged_chunks_is_reused() -> None:
    first = chunks({"one": "a 1\n", "two": "a 2\n"}, {})
    second = chunks({"one": "b 1\n", "two": "b 2\n"}, {})
    before = assemble(LAYOUT, [first, second], {})
    moved = chunks({"one": "b 1\n", "two": "b 3\n"}, second)
    after = assemble(LAYOUT, [first, moved], before)
    assert after["one"] is before["one"]
    assert b"".join(Document(list(after.values())).plain(b"")) == (
        b"# one\na 1\nb 1\n# two\na 2\nb 3\n"
    )  # fmt: skip


def test_a_section_without_a_removed_organization_is_recreated() -> None:
    first, second = chunks({"one": "a 1\n"}, {}), chunks({"one": "b 1\n"}, {})
    before = assemble(LAYOUT, [first, second], {})
    after = assemble(LAYOUT, [first], before)
    assert b"".join(Document(list(after.values())).plain(b"")) == b"# one\na 1\n"
    assert assemble(LAYOUT, [], before) == {}
