"""The output formats of ``report``: table, CSV and JSON."""

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

from exporter.cli.report_rows import iso8601
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
_FORMULA = re.compile("[=+\\-@\uff1d\uff0b\uff0d\uff20]")  # the last four are full-width
_MAX_ID = 255  # characters
_MAX_NAME = 60
_MAX_UNWRAPPED = 20  # characters; longer ids may be wrapped


def as_json(rows: Collection[Row]) -> str:
    """Return a JSON array of objects, whose members ``docs/report.md`` lists."""
    text = json.dumps([_fields(row) for row in rows], indent=2, ensure_ascii=False)
    return "".join(f"{escaped(line)}\n" for line in text.split("\n"))


def _fields(row: Row) -> dict[str, object]:
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
        "created_at": iso8601(row.created_at),
        "expires_at": iso8601(row.expires_at),
        "age_days": row.age_days,
        "policies": list(row.policies),
        "exempted": list(row.exempted),
    }


def as_csv(rows: Collection[Row]) -> str:
    """Return CSV with a header, as in RFC 4180.

    Fields that a spreadsheet would evaluate as formulas begin with an apostrophe. Control
    characters and line breaks are escaped.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        fields = _fields(row) | {
            "resource_ids": _joined(each.id for each in row.resources),
            "resource_kinds": _joined(each.kind for each in row.resources),
            "environment_ids": _joined(each.environment_id for each in row.resources),
            "resource_names": _joined(each.name for each in row.resources),
            "policies": _joined(row.policies),
            "exempted": _joined(row.exempted),
        }
        writer.writerow(_escape_field(fields[column]) for column in CSV_COLUMNS)
    return file.getvalue()


def _joined(texts: Iterable[str | None]) -> str:
    """Return ``texts`` separated by ``|``. A backslash escapes ``|`` and itself within a text."""
    return "|".join((text or "").replace("\\", "\\\\").replace("|", "\\|") for text in texts)


def _escape_field(value: object) -> str:
    text = "" if value is None else escaped(str(value))
    return f"'{text}" if _FORMULA.match(text) else text


def as_table(rows: Sequence[Row], *, organizations: int, width: int, colour: bool) -> str:
    """Return a table at most ``width`` columns wide, with totals in its last line.

    ``organizations``: the number of organizations in the report. With more than one, there is a
    column for their names.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    several = organizations > 1
    if several:
        whole = all(len(row.organization) <= _MAX_UNWRAPPED for row in rows)
        table.add_column("ORGANIZATION", overflow="fold", no_wrap=whole)
    whole = all(len(row.api_key_id) <= _MAX_UNWRAPPED for row in rows)
    table.add_column("API KEY", overflow="fold", no_wrap=whole)
    table.add_column("OWNER")
    table.add_column("RESOURCE")
    table.add_column("AGE", justify="right", no_wrap=True)
    table.add_column("FINDINGS")
    for row in rows:
        table.add_row(
            *([Text(row.organization)] if several else []),
            Text(one_line(row.api_key_id, _MAX_ID)),
            _Lines(_id_and_name(row.owner_id or row.owner_kind, row.owner_name)),
            _Lines(
                line
                for each in row.resources
                for line in _id_and_name(each.id or each.kind, each.name)
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
        _environ={},  # the caller has already chosen the width and the colour
    )
    if rows:
        console.print(table)
        console.print()
    console.print(Text(_totals(rows, organizations)))
    text = console.file.getvalue()  # type: ignore[attr-defined] # the StringIO from above
    return "".join(f"{line.rstrip(' ')}\n" for line in text.split("\n")[:-1])


def _id_and_name(identifier: str, name: str | None) -> list[str]:
    return [one_line(identifier, _MAX_ID), *([one_line(name, _MAX_NAME)] if name else [])]


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
    """A table cell of several lines, each wrapped at spaces and hyphens."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = [Text(line) for line in lines]

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        return Measurement(1, max((line.cell_len for line in self.lines), default=0))

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self.lines:
            for part in self.wrap(line.plain, options.max_width):
                yield Text(part, style=line.style, overflow="fold")  # for wide characters

    def wrap(self, line: str, width: int) -> list[str]:
        """Split ``line`` into parts of at most ``width`` characters."""
        return textwrap.wrap(line, width)


class _Findings(_Lines):
    """A table cell with one policy a line, wrapped at underscores if necessary, then the expiry."""

    def __init__(self, row: Row) -> None:
        self.lines = [Text(policy, "yellow") for policy in row.policies]
        self.lines += [Text(f"{policy} (exempt)", "dim") for policy in row.exempted]
        if expiry := iso8601(row.expires_at):
            self.lines.append(Text(f"expiry {expiry.partition('T')[0]}", "dim"))

    def wrap(self, line: str, width: int) -> list[str]:
        """Split ``line`` into parts of at most ``width`` characters."""
        if "_" not in line:
            return super().wrap(line, width)
        # textwrap wraps at hyphens, and the names of policies contain none.
        parts = textwrap.wrap(line.replace("_", "-"), width)
        return [part.replace("-", "_") for part in parts]
