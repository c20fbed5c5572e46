from __future__ import annotations

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.prepared import Document, render, weave
from exporter.inventory import Inventory, Owner, Resource
from exporter.refresh import CollectorState, Failure, OrganizationState

OWNER = Owner("sa-1", "service-account")
KAFKA = Resource("lkc-1", "kafka", "env-1")
CLOUD = Resource("cloud", "cloud", "")
INVENTORY = Inventory(
    total=3,
    owners={OWNER: 3},
    resources={KAFKA: 3, CLOUD: 1},
    pairs={(OWNER, KAFKA): 3, (OWNER, CLOUD): 1},
    collapsed_pairs=0,
    unreadable=2,
)


def state(name: str = "acme", *, fresh_until: float = 900, up: bool = True) -> OrganizationState:
    failure = None if up else Failure("server_error", "500", None)
    collector = CollectorState(
        finished=1000, succeeded=400, duration=2.5, failure=failure, error_ratios={"/p": 0.25}
    )
    return OrganizationState(name, {"api_keys": collector}, INVENTORY, fresh_until)


def series(document: Document) -> list[str]:
    return [line for line in document.plain.decode().splitlines() if not line.startswith("#")]


def test_an_organization_in_full() -> None:
    assert series(weave([render(state())], now=0)) == [
        'confluent_cloud_organization_api_keys{organization="acme"} 3.0',
        (
            'confluent_cloud_owner_api_keys{organization="acme",owner_id="sa-1",'
            'owner_kind="service-account"} 3.0'
        ),
        (
            'confluent_cloud_resource_api_keys{environment_id="env-1",organization="acme",'
            'resource_id="lkc-1",resource_kind="kafka"} 3.0'
        ),
        (
            'confluent_cloud_resource_api_keys{environment_id="",organization="acme",'
            'resource_id="cloud",resource_kind="cloud"} 1.0'
        ),
        (
            'confluent_cloud_api_keys{environment_id="env-1",organization="acme",owner_id="sa-1",'
            'owner_kind="service-account",resource_id="lkc-1",resource_kind="kafka"} 3.0'
        ),
        (
            'confluent_cloud_api_keys{environment_id="",organization="acme",owner_id="sa-1",'
            'owner_kind="service-account",resource_id="cloud",resource_kind="cloud"} 1.0'
        ),
        'confluent_cloud_exporter_collapsed_pairs{organization="acme"} 0.0',
        'confluent_cloud_exporter_unreadable_items{organization="acme"} 2.0',
        'confluent_cloud_up{collector="api_keys",organization="acme"} 1.0',
        (
            'confluent_cloud_exporter_last_success_timestamp_seconds{collector="api_keys",'
            'organization="acme"} 400.0'
        ),
        (
            'confluent_cloud_exporter_refresh_duration_seconds{collector="api_keys",'
            'organization="acme"} 2.5'
        ),
        'confluent_cloud_api_error_ratio{endpoint="/p",organization="acme"} 0.25',
    ]


def test_before_the_first_refresh_has_ended_nothing_is_claimed() -> None:
    fresh = OrganizationState("acme", {"api_keys": CollectorState()})
    assert weave([render(fresh)], now=0).plain == b""


def test_a_family_of_several_organizations_stands_together_under_one_header() -> None:
    document = weave([render(state("a")), render(state("b"))], now=0)
    lines = document.plain.decode().splitlines()
    assert sum(line == "# TYPE confluent_cloud_up gauge" for line in lines) == 1
    names = [line.partition("{")[0] for line in lines if not line.startswith("#")]
    first_seen = list(dict.fromkeys(names))
    assert names == sorted(names, key=first_seen.index)


def test_what_is_stale_goes_and_only_of_the_organization_that_is() -> None:
    old, new = (
        render(state("old", fresh_until=900, up=False)),
        render(state("new", fresh_until=950)),
    )
    assert weave([old, new], now=899.9).fresh_until == 900
    document = weave([old, new], now=900)
    assert [line for line in series(document) if 'organization="old"' in line] == [
        'confluent_cloud_up{collector="api_keys",organization="old"} 0.0',
        (
            'confluent_cloud_exporter_last_success_timestamp_seconds{collector="api_keys",'
            'organization="old"} 400.0'
        ),
        (
            'confluent_cloud_exporter_refresh_duration_seconds{collector="api_keys",'
            'organization="old"} 2.5'
        ),
        'confluent_cloud_api_error_ratio{endpoint="/p",organization="old"} 0.25',
    ]
    assert 'confluent_cloud_organization_api_keys{organization="new"} 3.0' in series(document)
    assert document.fresh_until == 950


@given(st.lists(st.sampled_from(["a", "b", "c"]), unique=True), st.binary())
def test_the_continued_gzip_stream_is_one_member_with_everything(
    names: list[str], tail: bytes
) -> None:
    document = weave([render(state(name)) for name in names], now=0)
    stream = document.gzip(tail)
    assert gzip.decompress(stream) == document.plain + tail
    member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    member.decompress(stream)
    assert member.eof
    assert member.unused_data == b""
