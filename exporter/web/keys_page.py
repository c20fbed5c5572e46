"""The page that lists API keys, without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.escaping import one_line
from exporter.inventory import POLICIES
from exporter.report import Sorting, iso8601
from exporter.web.keys_query import PATTERNS, query_for, sort_value
from exporter.web.templates import moment, template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.report import LatestListing, Row, SelectedKeys
    from exporter.web.keys_query import KeysQuery

PAGE_SIZE = 100  # rows
_MAX_TEXT = 255  # characters
_MAX_NOTES = 5
"""Notes of one kind that are shown without a click."""
_COLUMNS = (
    ("api_key", "API key"),
    ("organization", "Organization"),
    ("owner", "Owner"),
    ("team", "Team"),
    ("resource", "Resource"),
    ("environment", "Environment"),
    ("age", "Age"),
    ("expiry", "Expires"),
)
_PAGE = template("keys_page.html.j2")


@dataclass(frozen=True)
class _Column:
    """The heading of a column, with a link that sorts by it."""

    name: str
    label: str
    url: str
    order: str
    """The value of ``aria-sort``."""


@dataclass(frozen=True)
class _Pages:
    """The position of a page and its rows. Pages are numbered from 1."""

    number: int
    count: int
    first: int
    """Position of the first row, from 0."""
    end: int

    @classmethod
    def of(cls, total: int, *, wanted: int) -> _Pages:
        """Return the page ``wanted`` of ``total`` rows, or the last one if there are fewer."""
        count = max(1, -(-total // PAGE_SIZE))
        number = min(wanted, count)
        first = (number - 1) * PAGE_SIZE
        return cls(number, count, first, min(total, first + PAGE_SIZE))


def render_keys_page(
    listings: Sequence[LatestListing],
    selected: SelectedKeys,
    query: KeysQuery,
    *,
    organizations: int,
    wall: float,
    telemetry_path: str,
) -> str:
    """Return the HTML of the page at the Unix time ``wall``.

    ``listings``: of the organizations that ``query`` selects. ``organizations``: the number
    of all organizations.
    """
    pages = _Pages.of(len(selected), wanted=query.page)

    def page_url(number: int) -> str:
        return f"keys{query.encoded(sorting=query.sorting, page=number)}"

    def keys_url(row: Row, name: str, value: str) -> str:
        """Return the URL of the keys of the same organization with that value."""
        return f"keys{query_for({'organization': row.organization, name: value})}"

    download = query.encoded(sorting=query.sorting)
    fresh = [each for each in listings if each.keys is not None]
    with_teams = any(each.keys is not None and each.keys.teams for each in fresh)
    hidden = {*([] if organizations > 1 else ["organization"]), *([] if with_teams else ["team"])}
    labels = dict(_COLUMNS)
    oldest = min((each.began for each in fresh if each.began is not None), default=wall)
    return _PAGE.render(
        rows=selected.rows(pages.first, pages.end),
        total=len(selected),
        pages=pages,
        page_url=page_url,
        keys_url=keys_url,
        columns=[_column(*each, query) for each in _COLUMNS if each[0] not in hidden],
        filters=[
            (name, labels[name], query.values(name) or ("",))
            for name in PATTERNS
            if name not in hidden or name == "organization" or query.values(name)
        ],
        policies=[(policy, policy in query.values("policy")) for policy in POLICIES],
        sort="" if query.sorting is None else sort_value(query.sorting),
        is_filtered=bool(query.filters),
        any_organization=bool(listings),
        fresh=fresh,
        oldest=moment(oldest, now=wall).relative,
        unlisted=[each for each in listings if each.began is None],
        stale=[each for each in listings if each.began is not None and each.keys is None],
        max_notes=_MAX_NOTES,
        unevaluated=[
            (each, policy, "is disabled" if policy in each.disabled else _missing(policy))
            for each in fresh
            for policy in query.values("policy")
            if policy in each.disabled | each.unevaluated
        ],
        several=organizations > 1,
        with_teams=with_teams,
        csv_url=f"keys.csv{download}",
        json_url=f"keys.json{download}",
        telemetry_path=telemetry_path,
        environments=_environments,
        text=lambda value: one_line(value, _MAX_TEXT),
        date=lambda at: (iso8601(at) or "").partition("T")[0],
        time=iso8601,
        now=moment(wall, now=wall).at,
        now_wall=wall,
        moment=lambda at: moment(at, now=wall),
    )


def _missing(policy: str) -> str:
    because = {
        "unknown_owner": ", because the list of owners is missing or not plausible",
        "unused_for": ", because activity is not known for its time",
    }
    return f"cannot be evaluated{because.get(policy, '')}"


def _environments(row: Row) -> list[tuple[str, str | None]]:
    """Return the distinct environments of the resources, with their names."""
    found = {each.environment_id: each.environment_name for each in row.resources}
    return [each for each in found.items() if each[0]]


def _column(name: str, label: str, query: KeysQuery) -> _Column:
    """Return a heading that sorts by the column, in the other direction if it is sorted already.

    The first click on an age shows the oldest keys.
    """
    now = query.sorting if query.sorting and query.sorting.field == name else None
    descending = name == "age" if now is None else not now.descending
    order = "none" if now is None else "descending" if now.descending else "ascending"
    url = f"keys{query.encoded(sorting=Sorting(name, descending=descending))}"
    return _Column(name, label, url, order)
