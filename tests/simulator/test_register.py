from __future__ import annotations

import pytest

from exporter.simulator import (
    Directory,
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedUser,
)
from exporter.simulator.register import Register
from tests.simulator.fleet import small_directory


def test_records_are_in_the_order_of_their_names_whichever_the_name_is() -> None:
    register = Register(["bb", "a", "ccc"], name=str)
    register.add("aa")

    assert list(register.snapshot()) == ["a", "aa", "bb", "ccc"]
    assert (register.at(1), register["ccc"], len(register)) == ("aa", "ccc", 4)
    assert list(register.after("a")) == ["aa", "bb", "ccc"]
    assert list(register.after("b")) == ["bb", "ccc"]
    assert list(register.after("d")) == []


def test_every_change_is_counted_and_seen_by_the_next_snapshot() -> None:
    register = Register(["a"], name=str)
    before = register.snapshot()

    register.add("b")
    register.replace("b")
    register.remove("a")

    assert register.changes == 3
    assert (list(before), list(register.snapshot())) == (["a"], ["b"])
    assert "a" not in register


def test_a_name_is_taken_once_and_what_is_not_there_cannot_go() -> None:
    register = Register(["a"], name=str)

    with pytest.raises(ValueError, match="there is a already"):
        register.add("a")
    with pytest.raises(ValueError, match="there is b already"):
        Register(["b", "b"], name=str)
    with pytest.raises(KeyError):
        register.remove("b")
    with pytest.raises(KeyError):
        register.replace("b")
    assert register.changes == 0


def test_an_environment_goes_with_its_clusters_and_with_nothing_else() -> None:
    directory = small_directory()
    before = directory.changes

    directory.remove_environment("env-1")

    assert list(directory.environments.snapshot()) == ["env-2"]
    assert list(directory.clusters.snapshot()) == ["lkc-2"]
    assert (len(directory.service_accounts), len(directory.users), len(directory.regions)) == (
        2,
        2,
        2,
    )
    assert directory.changes == before + 4  # the environment and three clusters
    with pytest.raises(KeyError):
        directory.remove_environment("env-1")


def test_kinds_do_not_share_their_ids() -> None:
    directory = Directory([SimulatedUser("x", "x@example.com"), SimulatedEnvironment("x", "x")])

    directory.add(SimulatedCluster("x", "kafka", "x"))

    with pytest.raises(ValueError, match="there is x already"):
        directory.add(SimulatedUser("x", "y@example.com"))
