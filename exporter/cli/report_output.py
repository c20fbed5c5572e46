"""A report as a table for people, as CSV for spreadsheets, as JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import re
import textwrap
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from exporter.cli.report_rows import iso
from exporter.confluent.wire import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from rich.console import ConsoleOptions

    from exporter.cli.report_rows import ReportedResource, Row

CSV_COLUMNS = (
    "organization",
    "api_key_id",
    "owner_id",
    "owner_kind",
    "owner_name",
    "resource_ids",
    "resource_kinds",
    "environment_ids",
    "resource_names",
    "display_name",
    "description",
    "created_at",
    "expires_at",
    "age_days",
    "policies",
    "exempted",
)
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # the last four are full width
_TOUCHES_TERMINALS = re.compile("[\x7f-\x9f\u2028\u2029]")  # what json itself leaves as it is
_ID_LIMIT = 255
_NAME_LIMIT = 60
_USUAL_ID = 20  # characters; longer ids than these are broken into lines


def as_json(rows: Collection[Row]) -> str:
    """Return a list of objects in JSON; ``docs/report.md`` tells their members."""
    text = json.dumps([_members(row) for row in rows], indent=2, ensure_ascii=False)
    return _TOUCHES_TERMINALS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _members(row: Row) -> dict[str, object]:
    return {
        "organization": row.organization,
        "api_key_id": row.api_key_id,
        "owner_id": row.owner_id,
        "owner_kind": row.owner_kind,
        "owner_name": row.owner_name,
        "resources": [
            {
                "id": resource.id,
                "kind": resource.kind,
                "environment_id": resource.environment_id,
                "name": resource.name,
            }
            for resource in row.resources
        ],
        "display_name": row.display_name,
        "description": row.description,
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at),
        "age_days": row.age_days,
        "policies": list(row.policies),
        "exempted": list(row.exempted),
    }


def as_csv(rows: Collection[Row]) -> str:
    """Return CSV after RFC 4180, with a header.

    What a spreadsheet would take for a formula begins with an apostrophe.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        members = _members(row) | {
            "resource_ids": " ".join(each.id for each in row.resources),
            "resource_kinds": " ".join(each.kind for each in row.resources),
            "environment_ids": _distinct(each.environment_id for each in row.resources),
            "resource_names": _distinct(each.name for each in row.resources),
            "policies": " ".join(row.policies),
            "exempted": " ".join(row.exempted),
        }
        writer.writerow(_harmless(members[column]) for column in CSV_COLUMNS)
    return file.getvalue()


def _distinct(texts: Iterator[str | None]) -> str:
    return " ".join(dict.fromkeys(filter(None, texts)))


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def as_table(rows: Sequence[Row], *, organizations: int, width: int, colour: bool) -> str:
    """Return a table at most ``width`` columns wide, with the totals in its last line.

    ``organizations``: how many were asked; of several, each row names its own.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    several = organizations > 1
    if several:
        table.add_column("ORGANIZATION", overflow="fold")
    usual = all(len(row.api_key_id) <= _USUAL_ID for row in rows)
    table.add_column("API KEY", overflow="fold", no_wrap=usual)
    table.add_column("OWNER", overflow="fold")
    table.add_column("RESOURCES", overflow="fold")
    table.add_column("AGE", justify="right", no_wrap=True)
    table.add_column("EXPIRES", no_wrap=True)
    table.add_column("FINDINGS")
    for row in rows:
        age = "unknown" if row.age_days is None else f"{row.age_days}d"
        table.add_row(
            *([Text(row.organization)] if several else []),
            Text(one_line(row.api_key_id, _ID_LIMIT)),
            Text(_named(row.owner_id or row.owner_kind, row.owner_name)),
            Text("\n".join(map(_opened, row.resources))),
            Text(age),
            Text((iso(row.expires_at) or "never")[:10]),
            _Findings(row),
        )
    console = Console(
        file=io.StringIO(newline=""),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        legacy_windows=False,
        _environ={},  # what it says was heeded by who chose the width and the colour
    )
    if rows:
        console.print(table)
        console.print()
    console.print(Text(_totals(rows, organizations)))
    text = console.file.getvalue()  # type: ignore[attr-defined] # it is the StringIO from above
    return "".join(f"{line.rstrip(' ')}\n" for line in text.split("\n")[:-1])


def _named(identifier: str, name: str | None) -> str:
    lines = [one_line(identifier, _ID_LIMIT)] + ([one_line(name, _NAME_LIMIT)] if name else [])
    return "\n".join(lines)


def _opened(resource: ReportedResource) -> str:
    return _named(resource.id or resource.kind, resource.name)


def _totals(rows: Sequence[Row], organizations: int) -> str:
    def counted(number: int, thing: str) -> str:
        return f"{number} {thing}{'' if number == 1 else 's'}"

    owners = len({(row.organization, row.owner_id) for row in rows})
    parts = [counted(len(rows), "key"), counted(owners, "owner")]
    if organizations > 1:
        shown = len({row.organization for row in rows})
        parts.append(counted(shown, "organization"))
    return f"{', '.join(parts)}; {sum(bool(row.policies) for row in rows)} with findings"


class _Findings:
    """A cell that may be broken within the long names of policies, at their underscores."""

    def __init__(self, row: Row) -> None:
        # After hyphens, textwrap breaks by itself; no policy has one in its name.
        self._violated = ", ".join(row.policies).replace("_", "-")
        self._exempted = ", ".join(row.exempted).replace("_", "-")
        if self._exempted:
            self._exempted = f"exempt: {self._exempted}"

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        texts = (self._violated, self._exempted)
        pieces = [piece for text in texts for piece in re.findall(r"[^\s-]+-?", text)]
        return Measurement(max(map(len, pieces), default=0), max(map(len, texts)))

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for text, style in ((self._violated, "yellow"), (self._exempted, "dim")):
            for line in textwrap.wrap(text, options.max_width):
                yield Text(line.replace("-", "_"), style=style)
