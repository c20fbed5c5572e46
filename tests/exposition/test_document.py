from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.checksum import checksum
from exporter.exposition.document import (
    Block,
    Chunks,
    Document,
    Families,
    Family,
    assemble,
    chunk,
    chunks,
    section,
)
from exporter.exposition.groups import GROUP_SIZE, Groups

LAYOUT = tuple(Block(key, section((chunk(f"# {key}\n".encode()),))) for key in ("one", "two"))
LARGE = "a line of some length\n" * 1000
LINES = st.text() | st.text().map(LARGE.__add__)
ORGANIZATIONS = st.lists(st.dictionaries(st.sampled_from(["one", "two", "unknown"]), LINES))


def assembled(organizations: list[Chunks], before: Families | None = None) -> Families:
    return assemble(LAYOUT, Groups().all(organizations), before or {})


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
    parts = [assembled([chunks(each, {}) for each in some]) for some in (kept, live)]
    document = Document([family for part in parts for family in part.values()])
    everything = laid_out(kept) + laid_out(live) + tail
    assert b"".join(document.plain(tail)) == everything
    member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    assert member.decompress(b"".join(document.gzip(tail))) == everything
    assert member.eof
    assert member.unused_data == b""


def test_the_size_in_a_gzip_member_is_modulo_2_to_the_32() -> None:
    huge = Family((), 2**32 - 3, 0, checksum(0, 2**32 - 3))
    assert int.from_bytes(b"".join(Document([huge]).gzip(b"tail\n"))[-4:], "little") == 2


def test_unchanged_lines_keep_their_chunk() -> None:
    before = chunks({"one": "a 1\n", "two": "a 2\n"}, {})
    after = chunks({"one": "a 1\n", "two": "a 3\n"}, before)
    assert after["one"] is before["one"]
    assert after["two"].plain == b"a 3\n"


def organizations_of(*names: str) -> list[Chunks]:
    return [chunks({"one": f"{name} 1\n", "two": f"{name} 2\n"}, {}) for name in names]


def plain(families: Families) -> bytes:
    return b"".join(Document(list(families.values())).plain(b""))


def test_only_families_and_groups_with_changed_chunks_are_assembled_again() -> None:
    names = [f"o{number}" for number in range(GROUP_SIZE + 2)]
    organizations, groups = organizations_of(*names), Groups()
    first = groups.all(organizations)
    before = assemble(LAYOUT, first, {})
    organizations[-1] = chunks({"one": "o17 1\n", "two": "o17 3\n"}, organizations[-1])
    second = groups.all(organizations)
    after = assemble(LAYOUT, second, before)
    assert len(first) == len(second) == 2
    assert second[0] is first[0]
    assert second[1]["one"] is first[1]["one"]
    assert after["one"] is before["one"]
    ones = "".join(f"{name} 1\n" for name in names)
    twos = "".join(f"{name} 2\n" for name in names[:-1]) + "o17 3\n"
    assert plain(after) == f"# one\n{ones}# two\n{twos}".encode()


def test_a_group_that_was_prepared_is_not_assembled_again() -> None:
    organizations, groups = organizations_of("a", "b"), Groups()
    prepared = groups.group(0, organizations)
    assert groups.all(organizations)[0] is prepared
    changed = organizations_of("c", "d")
    assert b"".join(each.plain for each in groups.all(changed)[0]["one"].chunks) == b"c 1\nd 1\n"


def test_lines_of_a_removed_organization_are_gone() -> None:
    names = [f"o{number:02}" for number in range(GROUP_SIZE + 1)]
    organizations, groups = organizations_of(*names), Groups()
    before = assemble(LAYOUT, groups.all(organizations), {})
    after = assemble(LAYOUT, groups.all(organizations[1:]), before)
    ones = "".join(f"{name} 1\n" for name in names[1:])
    assert plain(after).startswith(f"# one\n{ones}# two\n".encode())
    assert assemble(LAYOUT, groups.all([]), before) == {}
