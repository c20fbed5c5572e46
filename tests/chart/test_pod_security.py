"""Each pod meets the restricted Pod Security Standard."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.chart.helm import CHART, VALUE_FILES, rendered_file
from tests.chart.pod_security import violations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]


@pytest.mark.parametrize("file", VALUE_FILES, ids=lambda file: file.stem)
def test_each_pod_meets_the_restricted_standard(file: Path) -> None:
    for pod in rendered_file(file).pods():
        assert violations(pod["spec"]) == []
        assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["spec"]["automountServiceAccountToken"] is False


def _set(*path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(spec: dict[str, Any]) -> None:
        part = spec if path[0] != "container" else spec["containers"][0]
        keys = path if path[0] != "container" else path[1:]
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "control"),
    [
        (_set("hostNetwork", value=True), "Host Namespaces"),
        (_set("volumes", value=[{"name": "a", "hostPath": {}}]), "Volume Types"),
        (_set("securityContext", "runAsUser", value=0), "Running as Non-root user"),
        (_set("securityContext", "runAsNonRoot", value=None), "Running as Non-root"),
        (_set("securityContext", "seccompProfile", value={}), "Seccomp"),
        (_set("securityContext", "sysctls", value=[{"name": "kernel.msgmax"}]), "Sysctls"),
        (_set("container", "securityContext", "privileged", value=True), "Privileged Containers"),
        (_set("container", "securityContext", "capabilities", value={}), "Capabilities"),
        (
            _set("container", "securityContext", "allowPrivilegeEscalation", value=None),
            "Privilege Escalation",
        ),
        (_set("container", "ports", value=[{"hostPort": 1}]), "Host Ports"),
        (_set("container", "livenessProbe", value={"httpGet": {"host": "a"}}), "Host Probes"),
    ],
)
def test_a_violation_of_the_standard_is_found(
    change: Callable[[dict[str, Any]], None], control: str
) -> None:
    [pod] = rendered_file(CHART / "ci" / "api-key-values.yaml").pods()
    spec = copy.deepcopy(pod["spec"])
    change(spec)
    assert violations(spec) == [control]
