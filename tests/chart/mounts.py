"""Creates the files of a pod below a folder, as the kubelet does in the container."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from tests.jwts import jwt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.chart.helm import Manifest, Rendered

Files = dict[str, bytes]


def secrets_with_certificate(chain: Path, key: Path) -> dict[str, Files]:
    """Return the Secrets of acme's API key, and of a certificate with its ``key``."""
    return {
        "exporter-tls": {"tls.crt": chain.read_bytes(), "tls.key": key.read_bytes()},
        "acme-api-key": {"api-key": b"KEY", "api-secret": b"secret"},
    }


def mount(pod: Manifest, rendered: Rendered, existing: Mapping[str, Files], *, below: Path) -> None:
    """Create the mounted files of ``pod`` ``below`` a folder.

    ``existing``: the content of the Secrets that the chart does not create, by name. A file that
    names a mounted folder names the one ``below`` instead.
    """
    volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
    mounts = pod["spec"]["containers"][0]["volumeMounts"]
    paths = b"|".join(re.escape(each["mountPath"]).encode() for each in mounts)
    moved = re.compile(b" (" + paths + b")")
    for each in mounts:
        folder = below / each["mountPath"].lstrip("/")
        folder.mkdir(parents=True)
        for source in _sources(volumes.get(each["name"], {})):
            for name, content in _files(source, rendered, existing):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(moved.sub(f" {below}".encode() + rb"\1", content))


def _sources(volume: dict[str, Any]) -> list[dict[str, Any]]:
    if "projected" in volume:
        return list(volume["projected"]["sources"])
    return [volume] if "configMap" in volume else []


def _files(
    source: Mapping[str, Any], rendered: Rendered, existing: Mapping[str, Files]
) -> Iterator[tuple[str, bytes]]:
    if token := source.get("serviceAccountToken"):
        yield token["path"], jwt({"aud": [token["audience"]]}).encode()
    if secret := source.get("secret"):
        data = _data("Secret", secret["name"], rendered, existing)
        items = secret.get("items", [{"key": key, "path": key} for key in data])
        yield from ((item["path"], data[item["key"]]) for item in items)
    if config := source.get("configMap"):
        yield from _data("ConfigMap", config["name"], rendered, existing).items()


def _data(kind: str, name: str, rendered: Rendered, existing: Mapping[str, Files]) -> Files:
    if name in existing:
        return existing[name]
    data = rendered.only(kind, name)["data"]
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in data.items()}
    return {key: value.encode() for key, value in data.items()}
