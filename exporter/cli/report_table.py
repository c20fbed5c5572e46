"""The table that ``report`` prints."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from exporter.escaping import one_line
from exporter.report import iso8601

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import ConsoleOptions

    from exporter.report import Row

_MAX_ID = 255  # characters
_MAX_NAME = 60
_MAX_UNWRAPPED = 20  # characters; longer ids may be wrapped


def as_table(rows: Sequence[Row], *, organizations: int, width: int, colour: bool) -> str:
    """Return a table at most ``width`` columns wide, with totals in its last line.

    ``organizations``: the number of organizations in the report. With more than one, there is a
    column for their names. With a team in any row, there is a column for teams.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    several = organizations > 1
    if several:
        whole = all(len(row.organization) <= _MAX_UNWRAPPED for row in rows)
        table.add_column("ORGANIZATION", overflow="fold", no_wrap=whole)
    whole = all(len(row.api_key_id) <= _MAX_UNWRAPPED for row in rows)
    table.add_column("API KEY", overflow="fold", no_wrap=whole)
    table.add_column("OWNER")
    with_teams = any(row.team for row in rows)
    if with_teams:
        table.add_column("TEAM", overflow="fold")
    table.add_column("RESOURCE")
    table.add_column("AGE", justify="right", no_wrap=True)
    table.add_column("FINDINGS")
    for row in rows:
        table.add_row(
            *([Text(row.organization)] if several else []),
            Text(one_line(row.api_key_id, _MAX_ID)),
            _Lines(_id_and_name(row.owner_id or row.owner_kind, row.owner_name)),
            *([Text(row.team or "")] if with_teams else []),
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
