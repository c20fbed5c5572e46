"""Image archives that both OCI tools and ``docker load`` read."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from release.archives import write_tar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_OCI = "application/vnd.oci.image"
_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar": f"{_OCI}.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{_OCI}.layer.v1.tar+gzip",
}
# Docker adds the names of containers, which differ in every build.
_CONFIG = ("created", "architecture", "os", "rootfs", "history")
_SETTINGS = (
    *("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels"),
    *("StopSignal", "Healthcheck"),  # Docker has the health check, OCI ignores it
)


def write_archive(folder: Path, output: Path, *, name: str, version: str, time: int) -> Path:
    """Write the archive of an image to the folder ``output``; return its path.

    ``folder``: the image as ``buildah push --format=v2s2 IMAGE dir:FOLDER`` writes it.
    """
    pushed = json.loads((folder / "manifest.json").read_bytes())
    docker = json.loads((folder / _hex(pushed["config"])).read_bytes())
    config = _json(_chosen(docker, _CONFIG) | {"config": _chosen(docker["config"], _SETTINGS)})
    layers = [each | {"mediaType": _LAYERS[each["mediaType"]]} for each in pushed["layers"]]
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor("config", config),
            "layers": layers,
        }
    )
    index = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.index.v1+json",
        "manifests": [
            _descriptor("manifest", manifest)
            | {
                "platform": _chosen(docker, ("architecture", "os")),
                "annotations": {"org.opencontainers.image.ref.name": f"{name}:{version}"},
            }
        ],
    }
    blobs: dict[str, bytes | Path] = {_path(each): folder / _hex(each) for each in layers}
    blobs |= {_path(_descriptor("", each)): each for each in (config, manifest)}
    for_docker = {
        "Config": _path(_descriptor("config", config)),
        "RepoTags": [f"{name}:{version}"],
        "Layers": [_path(each) for each in layers],
    }
    path = output / f"{name}-{version}-{docker['os']}-{docker['architecture']}.oci.tar"
    files = {
        "index.json": _json(index),
        "manifest.json": _json([for_docker]),
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
    }
    write_tar(path, blobs | files, time=time)
    return path


def _chosen(document: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: document[name] for name in names if document.get(name)}


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {
        "mediaType": f"{_OCI}.{kind}.v1+json",
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "size": len(content),
    }


def _path(descriptor: Mapping[str, Any]) -> str:
    return f"blobs/sha256/{_hex(descriptor)}"


def _hex(descriptor: Mapping[str, Any]) -> str:
    return str(descriptor["digest"]).removeprefix("sha256:")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
