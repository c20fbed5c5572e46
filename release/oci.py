"""Image archives that both OCI tools and ``docker load`` read."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from release.archives import write_tar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OCI = "application/vnd.oci.image"
_MEDIA_TYPES = {
    "application/vnd.docker.container.image.v1+json": f"{_OCI}.config.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar": f"{_OCI}.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{_OCI}.layer.v1.tar+gzip",
}


def write_archive(folder: Path, output: Path, *, name: str, version: str, time: int) -> Path:
    """Write the archive of an image to the folder ``output``; return its path.

    The configuration stays as Docker defines it, with the health check, which OCI tools ignore.

    ``folder``: the image as ``buildah push --format=v2s2 IMAGE dir:FOLDER`` writes it.
    """
    pushed = json.loads((folder / "manifest.json").read_bytes())
    config, layers = _descriptor(pushed["config"]), [_descriptor(each) for each in pushed["layers"]]
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": config,
            "layers": layers,
        }
    )
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    platform = json.loads((folder / _hex(config)).read_bytes())
    index = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.index.v1+json",
        "manifests": [
            {
                "mediaType": f"{_OCI}.manifest.v1+json",
                "digest": digest,
                "size": len(manifest),
                "platform": {each: platform[each] for each in ("architecture", "os")},
                "annotations": {"org.opencontainers.image.ref.name": version},
            }
        ],
    }
    for_docker = {
        "Config": f"blobs/sha256/{_hex(config)}",
        "RepoTags": [f"{name}:{version}"],
        "Layers": [f"blobs/sha256/{_hex(each)}" for each in layers],
    }
    path = output / f"{name}-{version}-{platform['os']}-{platform['architecture']}.oci.tar"
    blobs = {f"blobs/sha256/{_hex(each)}": folder / _hex(each) for each in (config, *layers)}
    write_tar(
        path,
        {
            **blobs,
            f"blobs/sha256/{digest.removeprefix('sha256:')}": manifest,
            "index.json": _json(index),
            "manifest.json": _json([for_docker]),
            "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        },
        time=time,
    )
    return path


def _descriptor(pushed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mediaType": _MEDIA_TYPES[pushed["mediaType"]],
        "digest": pushed["digest"],
        "size": pushed["size"],
    }


def _hex(descriptor: Mapping[str, str]) -> str:
    return descriptor["digest"].removeprefix("sha256:")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
