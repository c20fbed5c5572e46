"""Each organization, with its secret or token, is in exactly one pod."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from exporter.config import shard_of
from tests.chart.helm import CHART, FULLNAME, Rendered, rendered, rendered_file

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

SHARDS = CHART / "ci" / "shards-values.yaml"
NAMES = [
    f"{word}-{number}" for number in range(12) for word in ("acme", "Globex", "i_n", "x.y", "7")
]
PARTS = [
    {"existingSecret": {"name": "secret"}},
    {"apiKey": "KEY", "apiSecret": "secret"},
    {"identityPool": "pool-a", "serviceAccountToken": {}},
]


def jump_hash(name: str, buckets: int) -> int:
    """Return the shard as the paper computes it, with a floating-point division."""
    key = int.from_bytes(sha256(name.encode()).digest()[:8], "big") >> 4
    bucket, following = -1, 0
    while following < buckets:
        bucket = following
        key = (key * 2862933555777941757 + 1) % 2**64
        following = int((bucket + 1) * (float(1 << 31) / ((key >> 33) + 1)))
    return bucket


def organizations_of_pods(release: Rendered) -> list[list[str]]:
    """Return the names of the folders with credentials of each pod, in the order of the pods."""
    return [
        sorted({path.split("/")[1] for path in _projected_paths(pod)}) for pod in release.pods()
    ]


def _projected_paths(pod: dict[str, Any]) -> list[str]:
    sources = [
        source
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
    ]
    tokens = [each["serviceAccountToken"] for each in sources if "serviceAccountToken" in each]
    items = [item for each in sources for item in each.get("secret", {}).get("items", [])]
    return [each["path"] for each in (*tokens, *items)]


@pytest.mark.parametrize("shards", range(2, 8))
def test_an_organization_is_in_the_shard_that_the_exporter_expects(shards: int) -> None:
    assert len(set(NAMES)) == 60
    organizations = [
        {"name": name, "credentials": PARTS[position % 3]} for position, name in enumerate(NAMES)
    ]
    release = rendered(
        values={"shards": shards, "organizations": organizations}, only=["statefulsets.yaml"]
    )
    expected = [
        sorted(name for name in NAMES if jump_hash(name, shards) == shard)
        for shard in range(shards)
    ]
    assert organizations_of_pods(release) == expected
    assert [shard_of(name, total=shards) for name in NAMES] == [
        jump_hash(name, shards) for name in NAMES
    ]


def test_each_shard_is_a_stateful_set_with_its_own_secrets() -> None:
    release = rendered_file(SHARDS)
    sets = release.of_kind("StatefulSet")
    assert [each["metadata"]["name"] for each in sets] == [
        f"{FULLNAME}-shard-{shard}" for shard in range(3)
    ]
    assert [each["spec"]["replicas"] for each in sets] == [1, 1, 1]
    pods = organizations_of_pods(release)
    assert sorted(name for pod in pods for name in pod) == [
        "acme",
        "globex",
        "hooli",
        "initech",
        "umbrella",
    ]
    assert sum(bool(pod) for pod in pods) > 1


def test_the_pods_of_two_shards_have_different_selectors_and_one_service() -> None:
    release = rendered_file(SHARDS)
    selectors = [each["spec"]["selector"]["matchLabels"] for each in release.workloads()]
    labels = [each["metadata"]["labels"] for each in release.pods()]
    for position, selector in enumerate(selectors):
        selected = [index for index, each in enumerate(labels) if selector.items() <= each.items()]
        assert selected == [position]
    service = release.only("Service")["spec"]
    assert all(service["selector"].items() <= each.items() for each in labels)
    assert service["clusterIP"] == "None"
    assert service["ports"][0]["port"] == 10049  # a headless Service maps no ports


def test_each_shard_has_a_volume_of_its_own_that_an_upgrade_does_not_change() -> None:
    release = rendered_file(SHARDS)
    for each in release.workloads():
        [claim] = each["spec"]["volumeClaimTemplates"]
        assert claim["metadata"]["name"] == "state"
        assert "app.kubernetes.io/version" not in claim["metadata"]["labels"]
    assert release.of_kind("PersistentVolumeClaim") == []
