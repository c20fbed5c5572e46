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
from exporter.escaping import escaped, one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from rich.console import ConsoleOptions

    from exporter.cli.report_rows import Row

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
_FORMULA = re.compile("[=+\\-@\uff1d\uff0b\uff0d\uff20]")  # the last four are full width
_ID_LIMIT = 255
_NAME_LIMIT = 60
_SHORT = 20  # characters; longer ids than these may be broken into lines


def as_json(rows: Collection[Row]) -> str:
    """Return a list of objects in JSON; ``docs/report.md`` tells their members."""
    text = json.dumps([_members(row) for row in rows], indent=2, ensure_ascii=False)
    return "".join(f"{escaped(line)}\n" for line in text.split("\n"))


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

    What a spreadsheet would take for a formula begins with an apostrophe; what a terminal would
    obey, and line breaks, are escaped.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        members = _members(row) | {
            "resource_ids": _joined(each.id for each in row.resources),
            "resource_kinds": _joined(each.kind for each in row.resources),
            "environment_ids": _joined(each.environment_id for each in row.resources),
            "resource_names": _joined(each.name for each in row.resources),
            "policies": _joined(row.policies),
            "exempted": _joined(row.exempted),
        }
        writer.writerow(_harmless(members[column]) for column in CSV_COLUMNS)
    return file.getvalue()


def _joined(texts: Iterable[str | None]) -> str:
    """Return ``texts`` with ``|`` between them; a backslash escapes ``|`` and itself inside."""
    return "|".join((text or "").replace("\\", "\\\\").replace("|", "\\|") for text in texts)


def _harmless(value: object) -> str:
    text = "" if value is None else escaped(str(value))
    return f"'{text}" if _FORMULA.match(text) else text


def as_table(rows: Sequence[Row], *, organizations: int, width: int, colour: bool) -> str:
    """Return a table at most ``width`` columns wide, with the totals in its last line.

    ``organizations``: how many were asked; of several, each row names its own.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    several = organizations > 1
    if several:
        whole = all(len(row.organization) <= _SHORT for row in rows)
        table.add_column("ORGANIZATION", overflow="fold", no_wrap=whole)
    whole = all(len(row.api_key_id) <= _SHORT for row in rows)
    table.add_column("API KEY", overflow="fold", no_wrap=whole)
    table.add_column("OWNER")
    table.add_column("RESOURCE")
    table.add_column("AGE", justify="right", no_wrap=True)
    table.add_column("FINDINGS")
    for row in rows:
        table.add_row(
            *([Text(row.organization)] if several else []),
            Text(one_line(row.api_key_id, _ID_LIMIT)),
            _Lines(_named(row.owner_id or row.owner_kind, row.owner_name)),
            _Lines(
                line for each in row.resources for line in _named(each.id or each.kind, each.name)
            ),
            Text("unknown" if row.age_days is None else f"{row.age_days}d"),
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


def _named(identifier: str, name: str | None) -> list[str]:
    return [one_line(identifier, _ID_LIMIT), *([one_line(name, _NAME_LIMIT)] if name else [])]


def _totals(rows: Sequence[Row], organizations: int) -> str:
    def counted(number: int, thing: str) -> str:
        return f"{number} {thing}{'' if number == 1 else 's'}"

    owners = len({(row.organization, row.owner_id) for row in rows})
    parts = [counted(len(rows), "key"), counted(owners, "owner")]
    if organizations > 1:
        shown = len({row.organization for row in rows})
        parts.append(counted(shown, "organization"))
    return f"{', '.join(parts)}; {sum(bool(row.policies) for row in rows)} with findings"


class _Lines:
    """A cell of some lines, each of which may be broken at its spaces and hyphens."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = [Text(line) for line in lines]

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        return Measurement(1, max((line.cell_len for line in self.lines), default=0))

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self.lines:
            for part in self.broken(line.plain, options.max_width):
                yield Text(part, style=line.style, overflow="fold")  # characters may be wide

    def broken(self, line: str, width: int) -> list[str]:
        """Return ``line`` in parts of at most ``width`` characters."""
        return textwrap.wrap(line, width)


class _Findings(_Lines):
    """A policy on each line, broken at its underscores where that must be; then the expiry."""

    def __init__(self, row: Row) -> None:
        self.lines = [Text(policy, "yellow") for policy in row.policies]
        self.lines += [Text(f"{policy} (exempt)", "dim") for policy in row.exempted]
        if expiry := iso(row.expires_at):
            self.lines.append(Text(f"expiry {expiry.partition('T')[0]}", "dim"))

    def broken(self, line: str, width: int) -> list[str]:
        """Return ``line`` in parts of at most ``width`` characters."""
        if "_" not in line:
            return super().broken(line, width)
        # At hyphens textwrap breaks by itself, and no line of a policy has one.
        parts = textwrap.wrap(line.replace("_", "-"), width)
        return [part.replace("-", "_") for part in parts]
