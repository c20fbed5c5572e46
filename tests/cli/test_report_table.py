"""The table, at several widths and with what the network may bring."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from exporter.cli.report_table import as_table
from exporter.inventory import POLICIES
from exporter.report import ReportedResource, Row

ROW = Row(
    organization="acme",
    api_key_id="VAB6N3CBPMUF11ZQ",
    owner_id="sa-x9ci07",
    owner_kind="service-account",
    owner_name="orders-producer",
    team=None,
    resources=(ReportedResource("lkc-qikr5g", "kafka", "env-1", "pricing", "prod"),),
    display_name=None,
    description=None,
    created_at=1_700_000_000.0,
    expires_at=None,
    age=400.5 * 86_400,
    policies=("max_age", "max_keys_per_owner_and_resource"),
    exempted=(),
)
HOSTILE = "[red]x[/red]\x1b[2J\x9b1m\r\n\u202etxt\t🚚注文データの書き込み"


def table(*rows: Row, organizations: int = 1, width: int = 80, colour: bool = False) -> str:
    return as_table(rows, organizations=organizations, width=width, colour=colour)


def test_a_table() -> None:
    other = replace(
        ROW,
        api_key_id="B1",
        owner_id="",
        owner_kind="internal",
        owner_name=None,
        age=None,
        created_at=None,
        expires_at=1_800_000_000.0,
        resources=(ROW.resources[0], ReportedResource("", "unknown", "", None, None)),
        policies=(),
        exempted=("undescribed",),
    )
    assert table(ROW, other) == (
        "API KEY           OWNER            RESOURCE        AGE  FINDINGS\n"
        "VAB6N3CBPMUF11ZQ  sa-x9ci07        lkc-qikr5g     400d  max_age\n"
        "                  orders-producer  pricing              max_keys_per_owner_and_\n"
        "                                                        resource\n"
        "B1                internal         lkc-qikr5g  unknown  undescribed (exempt)\n"
        "                                   pricing              expiry 2027-01-15\n"
        "                                   unknown\n"
        "\n"
        "2 keys, 2 owners; 1 with findings\n"
    )


def test_only_several_organizations_have_a_column() -> None:
    text = table(ROW, replace(ROW, organization="globex"), organizations=2)
    assert text.startswith("ORGANIZATION  API KEY ")
    assert "\nglobex        VAB6N3CBPMUF11ZQ" in text
    assert text.endswith("\n2 keys, 2 owners, 2 organizations; 2 with findings\n")


def test_only_teams_have_a_column() -> None:
    text = table(replace(ROW, team="payments"), replace(ROW, api_key_id="B1"), width=100)
    first, second, *_ = text.splitlines()
    assert first.split() == ["API", "KEY", "OWNER", "TEAM", "RESOURCE", "AGE", "FINDINGS"]
    assert second.split()[:4] == ["VAB6N3CBPMUF11ZQ", "sa-x9ci07", "payments", "lkc-qikr5g"]
    assert "\nB1                sa-x9ci07                  lkc-qikr5g" in text


def test_no_keys() -> None:
    assert table() == "0 keys, 0 owners; 0 with findings\n"


@pytest.mark.parametrize("width", [20, 60, 80, 200])
@pytest.mark.parametrize("organizations", [1, 2])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_lost(
    width: int, organizations: int
) -> None:
    long = replace(
        ROW,
        organization="x" * 64,
        owner_id="sa-" + "y" * 252,
        owner_name=HOSTILE * 20,
        resources=tuple(
            ReportedResource(f"lkc-{n}", "kafka", "", HOSTILE, None) for n in range(20)
        ),
        policies=POLICIES,
    )
    text = table(ROW, long, organizations=organizations, width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert text.replace("\n", "").isprintable()
    if width >= 80:
        assert "VAB6N3CBPMUF11ZQ" in text
        squeezed = "".join(text.split())
        assert squeezed.count("y") >= 252
        for number in range(20):
            assert f"lkc-{number}" in squeezed


def test_a_long_key_is_shown_whole() -> None:
    text = table(replace(ROW, api_key_id="K" * 255))
    assert text.count("K") == 255 + 1  # with the header's
    assert max(map(len, text.splitlines())) <= 80


def test_markup_is_text() -> None:
    assert "[red]x[/red]" in table(replace(ROW, owner_name="[red]x[/red]"))


def test_colour_is_optional() -> None:
    assert "\x1b" not in table(ROW)
    assert "\x1b[33mmax_age" in table(ROW, colour=True)
