"""Packages import only from the packages that the table allows, and modules never in a cycle."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import exporter

ROOT = Path(exporter.__file__).parent
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
    "report": {"escaping", "inventory"},
    "refresh": LEAVES | {"config", "confluent", "inventory"},
    "exposition": LEAVES | {"refresh", "inventory", "confluent"},
    "summary": set(),
    "collectors": {
        *LEAVES,
        "config",
        "confluent",
        "exposition",
        "inventory",
        "refresh",
        "report",
        "summary",
    },
    "web": LEAVES | {"config", "exposition", "inventory", "refresh", "report", "summary"},
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
        "report",
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
        "report",
        "simulator",
        "summary",
        "web",
    },
}
PURE = {"inventory", "report"}
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


def packages() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in ROOT.rglob("*.py"):
        package = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if package not in {"__init__", "__main__"}:
            found.setdefault(package, []).append(path)
    return found


def imported(path: Path) -> set[str]:
    """Return what ``path`` imports at any place, including imports for type checking."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def import_graph(root: Path) -> dict[str, set[str]]:
    """Return the modules under ``root`` with the modules that each of them imports."""
    modules = {module_name(path, root): path for path in root.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        names = {name if name in modules else name.rpartition(".")[0] for name in imported(path)}
        graph[module] = names & modules.keys()
    return graph


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of an import cycle; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_modules_do_not_import_each_other_in_a_cycle() -> None:
    assert cycle(import_graph(ROOT)) == []


def test_cycles_of_type_checking_and_function_imports_are_found(tmp_path: Path) -> None:
    root = tmp_path / "package"
    root.mkdir()
    (root / "__init__.py").write_text("from package.first import value")
    (root / "first.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from package import second"
    )
    (root / "second.py").write_text("def later():\n    from package.first import value")

    assert set(cycle(import_graph(root))) == {"package.first", "package.second"}


def test_every_package_is_in_the_table() -> None:
    assert packages().keys() == MAY_IMPORT.keys()


def test_packages_import_only_what_the_table_allows() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for package, paths in packages().items()
        for path in paths
        for name in imported(path)
        if name.startswith("exporter.")
        and name.split(".")[1] not in MAY_IMPORT[package] | {package}
    }
    assert wrong == set()


def test_pure_packages_import_nothing_with_effects() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for package in PURE
        for path in packages()[package]
        for name in imported(path)
        if name.split(".")[0] in EFFECTS
    }
    assert wrong == set()


def test_the_inventory_does_not_read_the_time() -> None:
    wrong = {
        f"{path.name} reads {node.attr}"
        for path in packages()["inventory"]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today", "time"}
    }
    assert wrong == set()


def test_the_client_and_the_refresh_know_no_metric() -> None:
    for path in packages()["confluent"] + packages()["refresh"]:
        assert not any(name.startswith("prometheus_client") for name in imported(path))
