from __future__ import annotations

import gzip
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.collectors import COLLECTORS
from exporter.collectors.api_keys import API_KEYS_STATE, ApiKeysState, ChurnTotals
from exporter.collectors.api_keys.state import with_inventory
from exporter.collectors.quotas import Quota, QuotasState
from exporter.confluent.credentials import TokenStatus
from exporter.errors import REQUEST_FAILURE_REASONS
from exporter.exposition import Exposition, Format, Instruments
from exporter.inventory import (
    ChurnKind,
    Cluster,
    Directory,
    FoldSettings,
    Key,
    Owner,
    Resource,
    Rules,
    Usage,
)
from exporter.refresh import Failure, OrganizationState, RefreshStatus
from tests import virtual_time
from tests.harness import configuration
from tests.virtual_time import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.collectors import Collector

DAY = 86_400
NOW = 1_790_000_000.0
OWNER = Owner("sa-1", "service-account")
KAFKA = Resource("lkc-1", "kafka", "env-1")
CLOUD = Resource("cloud", "cloud", "")
KEYS = (
    Key("A", OWNER, (KAFKA, CLOUD), created_at=NOW - 100 * DAY, expires_at=NOW + 5 * DAY),
    Key("B", OWNER, (KAFKA,), created_at=NOW - 2 * DAY),
)
QUOTA = Quota(
    "iam.max_cloud_api_keys.per_service_account", "service_account", 10, None, "sa-1", "", ""
)
DIRECTORY = Directory(
    service_accounts={"sa-1": 'the "first"'},
    environments={"env-1": "prod"},
    clusters={"lkc-1": Cluster("orders", "env-1")},
    organization_id="uuid",
    organization_name="Acme",
)


SETTINGS = (
    "per_key_metrics: true, names: {enabled: true}, quotas: {enabled: true},"
    " policy: {max_age: 90d, expires_within: null}"
)


def state(name: str = "acme", *, stale_after: float = 900, up: bool = True) -> OrganizationState:
    failure = None if up else Failure("server_error", "500", None)
    collector = RefreshStatus(
        stale_after=stale_after,
        finished=1000,
        succeeded=400,
        duration=2.5,
        failure=failure,
        error_ratios={"/p": 0.25},
        refreshes=3,
        failures={"timeout": 1},
    )
    rules = Rules(max_age=90 * DAY, undescribed=True, exempt_api_keys=("A",))
    keys = ApiKeysState(
        keys={key.id: key for key in KEYS},
        unreadable=2,
        vanished=1,
        previous_total=4,
        churn=ChurnTotals(created={ChurnKind("user", "kafka", "false"): 5}),
        listing_count=1,
    )
    slices = {
        "api_keys": with_inventory(keys, FoldSettings(100, rules), DIRECTORY, Usage(), now=NOW),
        "names": DIRECTORY,
        "quotas": QuotasState((QUOTA,), fresh_until=3000),
    }
    return OrganizationState(name, {"api_keys": collector}, slices)


def renderers(state: OrganizationState, clock: FakeClock) -> Sequence[Collector]:
    seconds = state.prioritized.stale_after or 900
    config = configuration(f"{SETTINGS}, stale_after: {seconds}s")
    created = [each.create(config.organizations[0], clock=clock) for each in COLLECTORS]
    return [each for each in created if each is not None]


METRICS = [metric for each in COLLECTORS for metric in each.metrics]


def exposed(*states: OrganizationState, after: float = 0, form: Format = Format.TEXT) -> list[str]:
    """Return the lines of a scrape ``after`` seconds after publishing."""

    async def scrape() -> bytes:
        clock = FakeClock()
        instruments = Instruments(clock=clock, process=False)
        exposition = Exposition(clock=clock, instruments=instruments, metrics=METRICS)
        for each in states:
            await exposition.publish(each, renderers(each, clock))
        await clock.sleep(after)
        plain = exposition.scrape(form, gzip=False)
        assert gzip.decompress(exposition.scrape(form, gzip=True)) == plain
        return plain

    return virtual_time.run(scrape()).decode().splitlines()


def series(lines: list[str], *, without: tuple[str, ...] = ()) -> list[str]:
    """Return the samples, except zeros and those of the exporter itself."""
    return [
        line
        for line in lines
        if not line.startswith(
            (
                "#",
                "confluent_cloud_exporter_build",
                "confluent_cloud_exporter_con",
                "confluent_cloud_exporter_shard",
                "confluent_cloud_exporter_total",
            )
        )
        and not (line.endswith(" 0.0") and "_total" in line)
        and not line.startswith(without)
    ]


OF_THE_EXPORTER = ("confluent_cloud_exporter_build", "confluent_cloud_exporter_config")
LKC = 'resource_id="lkc-1",resource_kind="kafka"'
PLACE = 'environment_id="env-1",organization="acme"'
SA = 'owner_id="sa-1",owner_kind="service-account"'
AGE = "confluent_cloud_api_keys_age_seconds"
REMAINING = "confluent_cloud_api_keys_max_age_remaining_seconds"


def test_all_series_of_an_organization() -> None:
    assert series(exposed(state()), without=(AGE, REMAINING)) == [
        'confluent_cloud_organization_api_keys{organization="acme"} 2.0',
        f'confluent_cloud_owner_api_keys{{organization="acme",{SA}}} 2.0',
        f"confluent_cloud_resource_api_keys{{{PLACE},{LKC}}} 2.0",
        (
            'confluent_cloud_resource_api_keys{environment_id="",organization="acme",'
            'resource_id="cloud",resource_kind="cloud"} 1.0'
        ),
        f"confluent_cloud_api_keys{{{PLACE},{SA},{LKC}}} 2.0",
        (
            f'confluent_cloud_api_keys{{environment_id="",organization="acme",{SA},'
            'resource_id="cloud",resource_kind="cloud"} 1.0'
        ),
        (
            "confluent_cloud_owner_oldest_api_key_created_timestamp_seconds"
            f'{{organization="acme",{SA}}} 1.78136e+09'
        ),
        (
            "confluent_cloud_owner_next_api_key_expiry_timestamp_seconds"
            f'{{organization="acme",{SA}}} 1.790432e+09'
        ),
        (
            'confluent_cloud_api_key_policy_violations{organization="acme",owner_id="",owner_kind="",'
            'policy="max_age"} 0.0'
        ),
        (
            'confluent_cloud_api_key_policy_violations{organization="acme",owner_id="",owner_kind="",'
            'policy="undescribed"} 0.0'
        ),
        'confluent_cloud_api_key_policy_exempted{organization="acme",policy="max_age"} 1.0',
        'confluent_cloud_api_key_policy_exempted{organization="acme",policy="undescribed"} 0.0',
        (
            f'confluent_cloud_api_key_info{{api_key_id="A",display_name="",{PLACE},{SA},resource_id="lkc-1",'
            'resource_kind="kafka"} 1.0'
        ),
        (
            f'confluent_cloud_api_key_info{{api_key_id="A",display_name="",environment_id="",organization="acme",{SA},'
            'resource_id="cloud",resource_kind="cloud"} 1.0'
        ),
        (
            f'confluent_cloud_api_key_info{{api_key_id="B",display_name="",{PLACE},{SA},resource_id="lkc-1",'
            'resource_kind="kafka"} 1.0'
        ),
        (
            "confluent_cloud_api_key_created_timestamp_seconds"
            '{api_key_id="A",organization="acme"} 1.78136e+09'
        ),
        (
            "confluent_cloud_api_key_created_timestamp_seconds"
            '{api_key_id="B",organization="acme"} 1.7898272e+09'
        ),
        (
            "confluent_cloud_api_key_expiry_timestamp_seconds"
            '{api_key_id="A",organization="acme"} 1.790432e+09'
        ),
        'confluent_cloud_organization_vanished_api_keys{organization="acme"} 1.0',
        'confluent_cloud_organization_vanished_api_keys_ratio{organization="acme"} 0.25',
        'confluent_cloud_exporter_collapsed_pairs{organization="acme"} 0.0',
        'confluent_cloud_exporter_unreadable_items{organization="acme"} 2.0',
        (
            'confluent_cloud_owner_info{organization="acme",owner_id="sa-1",'
            'owner_kind="service-account",owner_name="the \\"first\\""} 1.0'
        ),
        (
            f'confluent_cloud_resource_info{{{PLACE},resource_id="lkc-1",resource_kind="kafka",'
            'resource_name="orders"} 1.0'
        ),
        (
            'confluent_cloud_resource_info{environment_id="",organization="acme",resource_id="cloud",'
            'resource_kind="cloud",resource_name="cloud"} 1.0'
        ),
        (
            'confluent_cloud_environment_info{environment_id="env-1",environment_name="prod",'
            'organization="acme"} 1.0'
        ),
        (
            "confluent_cloud_api_key_policy_threshold_seconds"
            '{organization="acme",policy="max_age"} 7.776e+06'
        ),
        (
            'confluent_cloud_api_keys_created_total{exempt="false",organization="acme",'
            'owner_kind="user",resource_kind="kafka"} 5.0'
        ),
        (
            'confluent_cloud_organization_info{organization="acme",organization_id="uuid",'
            'organization_name="Acme"} 1.0'
        ),
        (
            'confluent_cloud_quota_limit{environment_id="",organization="acme",owner_id="sa-1",'
            'quota_id="iam.max_cloud_api_keys.per_service_account",resource_id="",'
            'scope="service_account"} 10.0'
        ),
        (
            'confluent_cloud_quota_counted_usage{environment_id="",organization="acme",'
            'owner_id="sa-1",quota_id="iam.max_cloud_api_keys.per_service_account",resource_id="",'
            'scope="service_account"} 1.0'
        ),
        'confluent_cloud_up{collector="api_keys",organization="acme"} 1.0',
        (
            "confluent_cloud_exporter_last_success_timestamp_seconds"
            '{collector="api_keys",organization="acme"} 400.0'
        ),
        (
            "confluent_cloud_exporter_stale_after_seconds"
            '{collector="api_keys",organization="acme"} 900.0'
        ),
        (
            "confluent_cloud_exporter_refresh_duration_seconds"
            '{collector="api_keys",organization="acme"} 2.5'
        ),
        'confluent_cloud_api_error_ratio{endpoint="/p",organization="acme"} 0.25',
        'confluent_cloud_exporter_refreshes_total{collector="api_keys",organization="acme"} 3.0',
        (
            "confluent_cloud_exporter_refresh_failures_total"
            '{collector="api_keys",organization="acme",reason="timeout"} 1.0'
        ),
    ]


AT = 'organization="acme",owner_kind="service-account"'
BUCKETS = [
    f'{AGE}_bucket{{le="86400.0",{AT}}} 0.0',
    f'{AGE}_bucket{{le="604800.0",{AT}}} 1.0',
    f'{AGE}_bucket{{le="2.592e+06",{AT}}} 1.0',
    f'{AGE}_bucket{{le="5.184e+06",{AT}}} 1.0',
    f'{AGE}_bucket{{le="7.776e+06",{AT}}} 1.0',
    f'{AGE}_bucket{{le="1.5552e+07",{AT}}} 2.0',
    f'{AGE}_bucket{{le="3.1536e+07",{AT}}} 2.0',
    f'{AGE}_bucket{{le="6.3072e+07",{AT}}} 2.0',
    f'{AGE}_bucket{{le="+Inf",{AT}}} 2.0',
]
COUNT, SUM = f"{AGE}_gcount{{{AT}}} 2.0", f"{AGE}_gsum{{{AT}}} 8.8128e+06"


def ages(lines: list[str]) -> list[str]:
    return [line for line in lines if AGE in line and not line.startswith("# HELP")]


def test_age_buckets_are_gauges_in_openmetrics() -> None:
    assert ages(exposed(state(), form=Format.OPENMETRICS)) == [
        f"# TYPE {AGE}_bucket gauge", *BUCKETS,
        f"# TYPE {AGE}_gcount gauge", COUNT,
        f"# TYPE {AGE}_gsum gauge", SUM,
    ]  # fmt: skip


def test_age_buckets_are_a_histogram_and_gauges_in_the_text_format() -> None:
    assert ages(exposed(state())) == [
        f"# TYPE {AGE} histogram", *BUCKETS, COUNT.replace("gcount", "count"),
        SUM.replace("gsum", "sum"),
        f"# TYPE {AGE}_gcount gauge", COUNT,
        f"# TYPE {AGE}_gsum gauge", SUM,
    ]  # fmt: skip


def test_remaining_times_exclude_exempt_keys() -> None:
    lines = [line for line in exposed(state()) if line.startswith(REMAINING)]
    assert lines == [
        f'{REMAINING}_bucket{{le="0.0",{AT}}} 0.0',  # A is 100 days old, and exempted
        f'{REMAINING}_bucket{{le="604800.0",{AT}}} 0.0',
        f'{REMAINING}_bucket{{le="1.2096e+06",{AT}}} 0.0',
        f'{REMAINING}_bucket{{le="2.592e+06",{AT}}} 0.0',
        f'{REMAINING}_bucket{{le="5.184e+06",{AT}}} 0.0',
        f'{REMAINING}_bucket{{le="7.776e+06",{AT}}} 1.0',  # B is 2 days old
        f'{REMAINING}_bucket{{le="+Inf",{AT}}} 1.0',
        f"{REMAINING}_count{{{AT}}} 1.0",
        f"{REMAINING}_sum{{{AT}}} 7.6032e+06",
        f"{REMAINING}_gcount{{{AT}}} 1.0",
        f"{REMAINING}_gsum{{{AT}}} 7.6032e+06",
    ]


NEW = "confluent_cloud_new_cloud_or_global_api_key_created_timestamp_seconds"


def with_keys(*keys: Key) -> OrganizationState:
    one = ApiKeysState(keys={key.id: key for key in keys}, listing_count=1)
    folded = with_inventory(one, FoldSettings(100), DIRECTORY, Usage(), now=NOW)
    return state().with_slice(API_KEYS_STATE, folded)


def test_creation_times_of_cloud_and_global_keys_are_exposed_for_a_day() -> None:
    everything = Resource("global", "global", "")
    of = (CLOUD, KAFKA, everything)
    keys = (
        Key("YOUNG", OWNER, (CLOUD,), created_at=NOW - 3_600),
        Key("KAFKA", OWNER, (KAFKA,), created_at=NOW - 10),
        Key("WIDE", Owner("u-1", "user"), of, created_at=NOW - DAY + 1),
        Key("OLD", OWNER, (CLOUD,), created_at=NOW - DAY),
        Key("TIMELESS", OWNER, (CLOUD,), created_at=None),
    )
    assert [line for line in exposed(with_keys(*keys)) if line.startswith(NEW)] == [
        f'{NEW}{{api_key_id="YOUNG",organization="acme",{SA},resource_kind="cloud"}} 1.7899964e+09',
        (
            f'{NEW}{{api_key_id="WIDE",organization="acme",owner_id="u-1",owner_kind="user",'
            'resource_kind="global"} 1.789913601e+09'
        ),
    ]


def test_only_the_20_newest_creation_times_are_exposed() -> None:
    keys = [Key(f"K{age}", OWNER, (CLOUD,), created_at=NOW - age) for age in range(30)]
    lines = [line for line in exposed(with_keys(*keys)) if line.startswith(NEW)]
    found = {match[1] for line in lines if (match := re.search(r'api_key_id="(\w+)"', line))}
    assert found == {f"K{age}" for age in range(20)}


def test_the_failure_reason_is_exposed_until_a_refresh_succeeds() -> None:
    name = "confluent_cloud_exporter_refresh_failing"
    failed, fine = exposed(state(up=False)), exposed(state())
    assert [line for line in failed if line.startswith(name)] == [
        f'{name}{{collector="api_keys",organization="acme",reason="server_error"}} 1.0'
    ]
    assert not [line for line in fine if line.startswith(name)]


def test_the_expiry_of_the_token_is_exposed_only_for_an_identity_pool_that_has_one() -> None:
    name = "confluent_cloud_exporter_token_expiry_timestamp_seconds"

    def expiry(token: TokenStatus | None) -> list[str]:
        lines = exposed(replace(state(), token=token))
        return [line for line in lines if line.startswith(name)]

    assert expiry(TokenStatus("pool-1", NOW)) == [f'{name}{{organization="acme"}} 1.79e+09']
    assert expiry(TokenStatus("pool-1", None)) == []
    assert expiry(None) == []


def test_each_reason_of_a_failed_refresh_is_counted_from_0() -> None:
    name = "confluent_cloud_exporter_refresh_failures_total"
    lines = [line for line in exposed(state()) if line.startswith(name)]
    reasons = {match[1] for line in lines if (match := re.search(r'reason="(\w+)"', line))}
    of_credentials = {"credentials", "token_unreadable", "identity_provider", "token_refused"}
    assert reasons == {*REQUEST_FAILURE_REASONS, *of_credentials, "internal"}
    assert sum(line.endswith(" 0.0") for line in lines) == len(reasons) - 1, "one is a timeout"


def test_only_settings_are_exposed_before_the_first_refresh_has_ended() -> None:
    fresh = OrganizationState("acme", {"api_keys": RefreshStatus()})
    (threshold,) = series(exposed(fresh))
    assert threshold.startswith("confluent_cloud_api_key_policy_threshold_seconds"), "a setting"


def test_each_family_has_one_header_for_all_organizations() -> None:
    for form in Format:
        lines = exposed(state("b"), state("a"), form=form)
        assert sum(line == "# TYPE confluent_cloud_up gauge" for line in lines) == 1
        names = [line.partition("{")[0] for line in lines if not line.startswith("#")]
        families = [re.sub("_(bucket|count|sum)$", "", name) for name in names]
        first_seen = list(dict.fromkeys(families))
        assert families == sorted(families, key=first_seen.index)


def test_only_the_data_of_stale_organizations_disappears() -> None:
    old, new = state("old", stale_after=900, up=False), state("new", stale_after=950)
    before = exposed(old, new, after=899.9)
    assert any("confluent_cloud_owner_api_keys" in line and '"old"' in line for line in before)
    after = exposed(old, new, after=900)
    gone = {line.split("{")[0] for line in series(before) if '"old"' in line} - {
        line.split("{")[0] for line in series(after) if '"old"' in line
    }
    assert {"confluent_cloud_organization_api_keys", "confluent_cloud_owner_info"} < gone
    assert 'confluent_cloud_up{collector="api_keys",organization="old"} 0.0' in after
    assert 'confluent_cloud_organization_api_keys{organization="new"} 2.0' in after


async def test_unchanged_pairs_are_not_rendered_again() -> None:
    clock = FakeClock()
    before = state()
    after = replace(before, rate_limits={})
    (keys, *_) = renderers(before, clock)
    name = "confluent_cloud_api_keys"
    first, again = [
        [part.lines[name] for part in keys.render(after, previous) if name in part.lines]
        for previous in (None, before)
    ]
    assert first != again == [None]


async def test_unchanged_lines_are_not_compressed_again() -> None:
    clock = FakeClock()
    instruments = Instruments(clock=clock, process=False)
    exposition = Exposition(clock=clock, instruments=instruments, metrics=METRICS)
    before = state()
    again = replace(before.prioritized, refreshes=4)
    published = []
    for each in (before, replace(before, refreshes={"api_keys": again})):
        await exposition.publish(each, renderers(each, clock))
        published.append(exposition._rendered["acme"].chunks)
    old, new = published
    assert {key for key in old.keys() | new.keys() if new.get(key) is not old.get(key)} == {
        "confluent_cloud_exporter_refreshes_total"
    }
