"""Renders the Helm chart with the real ``helm``."""

from __future__ import annotations

import functools
import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tests.programs import ROOT, go_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CHART = ROOT / "charts" / "confluent-api-keys-exporter"
VALUE_FILES = sorted(CHART.glob("ci/*-values.yaml"))
RELEASE, NAMESPACE = "keys", "monitoring"
FULLNAME = "keys-confluent-api-keys-exporter"
KUBERNETES = "1.34"
"""The version that ``helm`` renders and lints for; its own default depends on how it was built."""

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """The manifests of a release."""

    manifests: list[Manifest]

    def of_kind(self, *kinds: str) -> list[Manifest]:
        """Return the manifests of some kinds, in the order in which helm prints them."""
        return [each for each in self.manifests if each["kind"] in kinds]

    def only(self, kind: str, name: str = FULLNAME) -> Manifest:
        """Return the manifest with this kind and name."""
        [found] = [each for each in self.of_kind(kind) if each["metadata"]["name"] == name]
        return found

    def workloads(self) -> list[Manifest]:
        """Return the Deployment, or the StatefulSets of the shards."""
        return self.of_kind("Deployment", "StatefulSet")

    def pods(self) -> list[Manifest]:
        """Return the pod templates of the workloads."""
        return [each["spec"]["template"] for each in self.workloads()]


def arguments_of(pod: Manifest) -> list[str]:
    """Return the arguments of the exporter in a pod template."""
    return list(pod["spec"]["containers"][0]["args"])


def run_helm(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``helm`` to its end; leave out its remarks on the links to the rules and dashboards."""
    done = subprocess.run(
        [go_program("helm"), *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    lines = done.stderr.splitlines(keepends=True)
    done.stderr = "".join(line for line in lines if "found symbolic link in path" not in line)
    return done


def run_template(
    *files: Path,
    values: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    arguments: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run ``helm template`` with value ``files``, and ``values`` that take precedence.

    ``only``: names of the templates to render. ``arguments``: further flags.
    """
    command = ["template", RELEASE, str(CHART), f"--namespace={NAMESPACE}"]
    command += [f"--kube-version={KUBERNETES}", *arguments]
    command += [f"--values={file}" for file in files]
    command += [f"--show-only=templates/{name}" for name in only]
    if values is not None:
        command.append("--values=-")
    return run_helm(*command, stdin=json.dumps(values))


def rendered(
    *files: Path,
    values: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    arguments: Sequence[str] = (),
) -> Rendered:
    """Return the manifests that ``helm template`` prints; see :func:`run_template`."""
    done = run_template(*files, values=values, only=only, arguments=arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return Rendered([each for each in yaml.safe_load_all(done.stdout) if each])


@functools.cache
def rendered_file(file: Path) -> Rendered:
    """Return the manifests for a file of :data:`VALUE_FILES`, which is rendered once.

    Callers must not change them.
    """
    return rendered(file)
