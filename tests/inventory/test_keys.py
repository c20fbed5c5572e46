from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import astuple

from exporter.confluent import wire
from exporter.inventory import key_from
from tests.inventory.shapes import SHAPES, Shape
from tests.shared_material import shared_file

SA_ORDERS, SA_TERRAFORM, SA_SCHEMA = "sa-8kd41z", "sa-3xw90p", "sa-q7n2my"
SERVICE_ACCOUNT, USER = "service-account", "user"
ORDERS = ("lkc-7vq2nd", "kafka", "env-4k9xq2")
THE_SIXTEEN = {
    "2QXWJ7RM4TKZP5VA": ((SA_ORDERS, SERVICE_ACCOUNT), [ORDERS]),
    "K4ZN6YD2CVBQ3HTS": ((SA_ORDERS, SERVICE_ACCOUNT), [("lkc-03x8rk", "kafka", "")]),
    "HV3M9LQ7XW2RJ8PD": ((SA_TERRAFORM, SERVICE_ACCOUNT), [("cloud", "cloud", "")]),
    "B7TQ2KZX4MNV6WJC": (("u-5vv0ke", USER), [("cloud", "cloud", "")]),
    "G5RX8CWN3LQZ7VKT": ((SA_TERRAFORM, SERVICE_ACCOUNT), [("global", "global", "")]),
    "S9JD4VKM6XBT2QWL": (
        (SA_SCHEMA, SERVICE_ACCOUNT),
        [("lsrc-2wz9op", "schema-registry", "env-4k9xq2")],
    ),
    "W2PL7NXD5ZRK9MHG": (
        (SA_SCHEMA, SERVICE_ACCOUNT),
        [("lsrc-k8x3dq", "schema-registry", "env-m8r1vj")],
    ),
    "Q8KT3WZB7VDX4RLN": (("u-5vv0ke", USER), [("lksqlc-1m5gz7", "ksql", "env-4k9xq2")]),
    "F6VB2QMX8KJW3TZR": (("u-5vv0ke", USER), [("aws.us-east-1", "flink-region", "env-4k9xq2")]),
    "N3XC9TRV5WLK7QJM": (
        (SA_TERRAFORM, SERVICE_ACCOUNT),
        [("azure.westeurope", "flink-region", "env-m8r1vj")],
    ),
    "T4WM8LZK2QXD6VRB": ((SA_ORDERS, SERVICE_ACCOUNT), [("tableflow", "tableflow", "")]),
    "M7QD5XRK9ZVT3WLJ": (
        ("u-kp27dj", USER),
        [ORDERS, ("lsrc-2wz9op", "schema-registry", "")],
    ),
    "Z2BK6VTX4NQM8RWD": (("", "internal"), [ORDERS]),
    "A9LX3WQV7KDR5TZM": (("sa-1337aa", SERVICE_ACCOUNT), [("lkc-aud001", "kafka", "")]),
    "E5RT8ZKD2XVQ6WLN": ((SA_ORDERS, SERVICE_ACCOUNT), [ORDERS]),
    "U3VQ7MXK9WBT4RZD": (
        (SA_SCHEMA, SERVICE_ACCOUNT),
        [("something-new", "futurething", "env-4k9xq2")],
    ),
}


def labels_of(item: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    key = key_from(msgspec.json.decode(json.dumps(item), type=wire.ApiKey))
    assert key.id == item["id"]
    return astuple(key.owner), [astuple(resource) for resource in key.resources]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_every_form_of_a_key_is_normalized(shape: Shape) -> None:
    assert labels_of(shape.item) == (shape.owner, shape.resources)


def test_the_sixteen_items_of_the_contract() -> None:
    items = json.loads(shared_file("fixtures/api-keys.json").read_text())
    assert {item["id"]: labels_of(item) for item in items} == THE_SIXTEEN


@pytest.mark.parametrize(
    ("text", "kept", "described"),
    [
        (None, "", False),
        ("", "", False),
        (" \n", " \n", False),
        (" rotated by ci ", " rotated by ci ", True),
        ("x" * 255, "x" * 255, True),
        ("x" * 256, "x" * 255, True),
        (" " * 300 + "late", "late", True),
        (" " * 300, "", False),
        ("é" * 1000, "é" * 255, True),
    ],
)
def test_texts_are_cut_but_never_become_blank(
    text: str | None, kept: str, *, described: bool
) -> None:
    named = key_from(wire.ApiKey("K1", wire.ApiKeySpec(display_name=text)))
    explained = key_from(wire.ApiKey("K1", wire.ApiKeySpec(description=text)))
    assert (named.display_name, named.description) == (kept, "")
    assert (explained.display_name, explained.description) == ("", kept)
    assert (named.described, explained.described) == (described, described)
