"""The way through the house is one way: nothing later is imported by anything earlier."""

from __future__ import annotations

import ast
from pathlib import Path

import exporter

HOUSE = Path(exporter.__file__).parent
LEAVES = {"errors", "clock", "escaping", "redaction", "version"}
MAY_IMPORT: dict[str, set[str]] = {
    "redaction": set(),
    "escaping": {"redaction"},
    "errors": {"escaping", "redaction"},
    "clock": set(),
    "version": set(),
    "config": LEAVES,
    "confluent": LEAVES | {"config"},
    "inventory": {"confluent"},
    "refresh": LEAVES | {"config", "confluent", "inventory"},
    "exposition": LEAVES | {"refresh", "inventory", "confluent"},
    "summary": set(),
    "collectors": LEAVES | {"config", "confluent", "inventory", "refresh", "exposition", "summary"},
    "web": LEAVES | {"exposition", "refresh", "summary"},
    "simulator": LEAVES,
    "logs": LEAVES,
    "app": {
        *LEAVES,
        "collectors",
        "config",
        "confluent",
        "exposition",
        "logs",
        "refresh",
        "summary",
        "web",
    },
    "cli": {
        *LEAVES,
        "app",
        "collectors",
        "config",
        "confluent",
        "exposition",
        "inventory",
        "logs",
        "refresh",
        "simulator",
        "summary",
        "web",
    },
}
PURE = {"inventory"}
EFFECTS = {
    "asyncio",
    "httpx",
    "time",
    "random",
    "os",
    "socket",
    "structlog",
    "prometheus_client",
}


def rooms() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in HOUSE.rglob("*.py"):
        room = path.relative_to(HOUSE).parts[0].removesuffix(".py")
        if room not in {"__init__", "__main__"}:
            found.setdefault(room, []).append(path)
    return found


def imported(path: Path) -> set[str]:
    """The modules that ``path`` imports at any place, for types too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def test_every_room_is_in_the_table() -> None:
    assert rooms().keys() == MAY_IMPORT.keys()


def test_nothing_later_is_imported_by_anything_earlier() -> None:
    wrong = {
        f"{path.relative_to(HOUSE)} imports {name}"
        for room, paths in rooms().items()
        for path in paths
        for name in imported(path)
        if name.startswith("exporter.") and name.split(".")[1] not in MAY_IMPORT[room] | {room}
    }
    assert wrong == set()


def test_the_middle_is_pure() -> None:
    wrong = {
        f"{path.relative_to(HOUSE)} imports {name}"
        for room in PURE
        for path in rooms()[room]
        for name in imported(path)
        if name.split(".")[0] in EFFECTS
    }
    assert wrong == set()


def test_the_middle_asks_nobody_for_the_time() -> None:
    asked = {
        f"{path.name} asks {node.attr}"
        for path in rooms()["inventory"]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today", "time"}
    }
    assert asked == set()


def test_the_client_never_sees_a_metric() -> None:
    for path in rooms()["confluent"] + rooms()["refresh"]:
        assert not any(name.startswith("prometheus_client") for name in imported(path))
