from __future__ import annotations

import pytest

from exporter.simulator.records import Records


def test_records_are_sorted_by_any_key() -> None:
    records = Records(["bb", "a", "ccc"], sort_key=str)
    records.add("aa")

    assert list(records) == list(records.values()) == ["a", "aa", "bb", "ccc"]
    assert (records.at(1), records["ccc"], len(records)) == ("aa", "ccc", 4)
    assert list(records.after("a")) == ["aa", "bb", "ccc"]
    assert list(records.after("b")) == ["bb", "ccc"]
    assert list(records.after("d")) == []


def test_every_change_is_counted() -> None:
    records = Records(["a"], sort_key=str)

    records.add("b")
    records.replace("b")
    records.remove("a")

    assert records.changes == 3
    assert list(records) == ["b"]
    assert "a" not in records


def test_a_key_is_unique_and_a_missing_record_cannot_be_changed() -> None:
    records = Records(["a"], sort_key=str)

    with pytest.raises(ValueError, match="a already exists"):
        records.add("a")
    with pytest.raises(ValueError, match="b already exists"):
        Records(["b", "b"], sort_key=str)
    with pytest.raises(KeyError):
        records.remove("b")
    with pytest.raises(KeyError):
        records.replace("b")
    assert records.changes == 0
