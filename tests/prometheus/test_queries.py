"""The queries of ``docs/queries.md`` on a real Prometheus, compared with the simulator's truth."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from exporter.clock import SystemClock
from exporter.simulator import (
    CLOUD,
    USERS_PATH,
    Account,
    SimulatedKey,
    SimulatedOrganization,
    SimulatedOwner,
    SimulatedRateLimit,
    Simulator,
    seeded_organization,
)
from tests.programs import EXPORTER, ROOT, printed, program, served, started
from tests.prometheus.server import Prometheus, prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from exporter.simulator import SimulatedResource

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("queries"),  # one server for all of them
]

DAY = 86_400.0
Answer = dict[tuple[tuple[str, str], ...], float]
PAGE = (ROOT / "docs" / "queries.md").read_text()
_QUERY = re.compile(r"^### (.*?)\n.*?```promql\n(.*?)```", re.DOTALL | re.MULTILINE)
QUERIES: dict[str, str] = dict(_QUERY.findall(PAGE))


@dataclass
class Scene:
    """A Prometheus, and what there is to know."""

    prometheus: Prometheus
    organization: SimulatedOrganization
    requests: Callable[[], Counter[str]]
    created: list[SimulatedKey]

    def listed(self) -> list[SimulatedKey]:
        return list(self.organization.keys.values())

    def name_of(self, owner_id: str) -> str:
        users, accounts = self.organization.users, self.organization.service_accounts
        if owner_id in accounts:
            return accounts[owner_id].display_name
        user = users.get(owner_id)
        return (user and (user.full_name or user.email)) or owner_id

    def place_of(self, key: SimulatedKey, one: SimulatedResource) -> tuple[str, str, str]:
        cluster = self.organization.clusters.get(one.id)
        shown = key.visible_environment_id(one)
        environment = cluster.environment_id if cluster else shown
        return one.id, one.kind, environment

    def by_owner(self) -> Counter[str]:
        return Counter(key.owner.id if key.owner else "" for key in self.listed())

    def by_place(self) -> Counter[tuple[str, str, str]]:
        return Counter(self.place_of(key, one) for key in self.listed() for one in key.resources)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("queries")
    clock = SystemClock()
    organization = seeded_organization(seed=7, keys=600, now=clock.wall())
    simulator = Simulator(
        [Account("KEY", "SECRET", organization)],
        clock=clock,
        rate_limit=SimulatedRateLimit(10_000, 60),
    )
    with served(simulator) as api:
        (folder / "config.yaml").write_text(
            f"organizations: [{{name: acme, url: {api}, refresh_interval: 2s,"
            " names: {users: true}, credentials: {api_key: KEY, api_secret_env: SECRET},"
            " policy: {exempt: {owners: ['u-*']}}}]\n"
            "teams: [{name: people, owners: ['u-*']}, {name: cloud, resources: [cloud]}]\n"
        )
        log = folder / "log"
        command = (
            *EXPORTER,
            f"--config.file={folder / 'config.yaml'}",
            "--web.listen-address=127.0.0.1:0",
        )
        with started(*command, log=log, environ={"SECRET": "SECRET"}):
            url = printed(log, r"urls=(\S+)")
            for collector in ("api_keys", "names", "quotas"):
                printed(log, rf"msg=refreshed organization=acme (collector={collector}) ")
            with prometheus(url.removeprefix("http://"), folder) as server:
                server.becomes("confluent_cloud_organization_api_keys", 600)
                created = [
                    organization.create(
                        owner=SimulatedOwner("sa-new", "service-account"),
                        resources=(CLOUD,),
                        now=clock.wall(),
                    )
                    for _ in range(3)
                ]
                server.becomes("confluent_cloud_organization_api_keys", 603)
                server.becomes("sum(confluent_cloud_api_keys_created_total)", 3)
                yield Scene(
                    server,
                    organization,
                    lambda: Counter(r.path for r in simulator.requests),
                    created,
                )


def labelled(answer: Answer, *labels: str) -> dict[tuple[str, ...], float]:
    """Return ``answer`` by the values of ``labels``; that there are no others is for the query."""
    return {
        tuple(dict(at).get(label, "") for label in labels): value for at, value in answer.items()
    }


def top(counts: Mapping[Any, float], most: int = 5) -> list[float]:
    return sorted(counts.values(), reverse=True)[:most]


def ages(scene: Scene, now: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for key in scene.listed():
        found[key.owner.kind if key.owner else "internal"].append(now - key.created_at)
    return found


def number_of_keys(_scene: Scene, answer: Answer) -> None:
    assert list(answer.values()) == [603]


def most_keys(scene: Scene, answer: Answer) -> None:
    found, truth = labelled(answer, "owner_id", "owner_name"), scene.by_owner()
    assert sorted(found.values(), reverse=True) == top(truth)
    for (owner_id, name), count in found.items():
        assert (count, name) == (truth[owner_id], scene.name_of(owner_id))


def most_opened(scene: Scene, answer: Answer) -> None:
    found = labelled(answer, "resource_id", "resource_kind", "environment_id", "resource_name")
    truth = scene.by_place()
    assert sorted(found.values(), reverse=True) == top(truth)
    for (*place, name), count in found.items():
        assert count == truth[tuple(place)]  # type: ignore[index] # three of them
        cluster = scene.organization.clusters.get(place[0])
        region = scene.organization.regions.get(place[0])
        assert name == ((cluster.name if cluster else region.name if region else "") or place[0])


def by_environment(scene: Scene, answer: Answer) -> None:
    truth: Counter[tuple[str, str]] = Counter()
    environments = scene.organization.environments
    for (_, _, environment_id), count in scene.by_place().items():
        if environment_id:
            truth[environment_id, environments[environment_id].name or environment_id] += count
    assert labelled(answer, "environment_id", "environment_name") == truth


def of_people(scene: Scene, answer: Answer) -> None:
    truth = Counter(
        one.kind
        for key in scene.listed()
        if key.owner and key.owner.kind == "user"
        for one in key.resources
    )
    assert labelled(answer, "resource_kind") == {(kind,): n for kind, n in truth.items()}


def cloud(scene: Scene, answer: Answer) -> None:
    truth = Counter(
        key.owner.id if key.owner else ""
        for key in scene.listed()
        for one in key.resources
        if one.kind == "cloud"
    )
    assert labelled(answer, "owner_id") == {(owner,): n for owner, n in truth.items()}


def teams(scene: Scene) -> dict[str, str]:
    of_cloud = {
        key.owner.id
        for key in scene.listed()
        if key.owner and "cloud" in {one.kind for one in key.resources}
    }
    people = {key.owner.id for key in scene.listed() if key.owner and key.owner.kind == "user"}
    return dict.fromkeys(of_cloud, "cloud") | dict.fromkeys(people, "people")


def by_team(scene: Scene, answer: Answer) -> None:
    truth: Counter[str] = Counter()
    of_owner = teams(scene)
    for owner_id, count in scene.by_owner().items():
        if owner_id in of_owner:
            truth[of_owner[owner_id]] += count
    assert labelled(answer, "team") == {(team,): n for team, n in truth.items()}
    assert truth.keys() == {"cloud", "people"}


def without_team(scene: Scene, answer: Answer) -> None:
    owners = scene.by_owner()
    truth = {(owner,): owners[owner] for owner in owners.keys() - teams(scene).keys() if owner}
    assert labelled(answer, "owner_id") == truth
    assert truth


def older_than_90_days(scene: Scene, answer: Answer) -> None:
    old = sum(age > 90 * DAY for each in ages(scene, time.time()).values() for age in each)
    assert list(answer.values()) == [old]
    assert 0 < old < 603


def average_age(scene: Scene, answer: Answer) -> None:
    truth = {
        (kind,): sum(each) / len(each) / DAY for kind, each in ages(scene, time.time()).items()
    }
    assert labelled(answer, "owner_kind") == pytest.approx(truth, abs=0.01)


def past_the_limit(scene: Scene, answer: Answer) -> None:
    now, oldest = time.time(), dict[str, float]()
    for key in scene.listed():
        owner = key.owner.id if key.owner else ""
        oldest[owner] = min(oldest.get(owner, now), key.created_at)
    truth = {(owner,): now - at - 90 * DAY for owner, at in oldest.items() if now - at > 90 * DAY}
    assert labelled(answer, "owner_id") == pytest.approx(truth, abs=30)


def expiring(scene: Scene, answer: Answer) -> None:
    now, soonest = time.time(), dict[str, float]()
    for key in scene.listed():
        if key.expires_at is not None and key.expires_at > now:
            owner = key.owner.id if key.owner else ""
            soonest[owner] = min(soonest.get(owner, now + 1e9), key.expires_at)
    truth = {(owner,): at - now for owner, at in soonest.items() if at - now < 14 * DAY}
    assert truth
    assert labelled(answer, "owner_id") == pytest.approx(truth, abs=30)


def findings(scene: Scene, answer: Answer) -> None:
    now, evaluated = time.time(), [key for key in scene.listed() if key.owner]
    ours = [key for key in evaluated if key.owner and key.owner.kind != "user"]  # u-* is exempt
    truth = {
        "max_age": sum(now - key.created_at > 90 * DAY for key in ours),
        "expired": sum(key.expires_at is not None and key.expires_at <= now for key in ours),
        "expires_within": sum(
            key.expires_at is not None and now < key.expires_at <= now + 14 * DAY for key in ours
        ),
        "undescribed": sum(
            not (key.display_name or "").strip() and not (key.description or "").strip()
            for key in ours
        ),
        "user_owned": 0,
    }
    found = {policy: value for (policy,), value in labelled(answer, "policy").items()}
    assert {policy: found[policy] for policy in truth} == truth
    assert found["max_keys_per_owner_and_resource"] > 0
    assert len(found) == 7


def exempted(scene: Scene, answer: Answer) -> None:
    users = sum(key.owner is not None and key.owner.kind == "user" for key in scene.listed())
    assert labelled(answer, "policy")["user_owned",] == users


def worst(scene: Scene, answer: Answer) -> None:
    now = time.time()
    truth = Counter(
        key.owner.id
        for key in scene.listed()
        if key.owner and key.owner.kind != "user" and now - key.created_at > 90 * DAY
    )
    found = labelled(answer, "owner_id")
    assert sorted(found.values(), reverse=True) == top(truth)
    assert all(count == truth[owner_id] for (owner_id,), count in found.items())


def left_over(scene: Scene, answer: Answer) -> None:
    gone = {each.id for each in scene.organization.entities.deleted_service_accounts}
    # The account that a test invented owns keys that are younger than the latest listing.
    truth = {(owner,): n for owner, n in scene.by_owner().items() if owner in gone}
    assert labelled(answer, "owner_id") == truth
    assert truth


def without_data(_scene: Scene, answer: Answer) -> None:
    assert answer == {}  # this Prometheus does not scrape the vendor's endpoint


def came(_scene: Scene, answer: Answer) -> None:
    assert labelled(answer, "resource_kind") == {("cloud",): 3}


def powerful(_scene: Scene, answer: Answer) -> None:
    ((value),) = answer.values()
    assert value >= 3 * 0.5  # `increase` extrapolates over the scrapes that there were


def young_and_powerful(scene: Scene, answer: Answer) -> None:
    now = time.time()
    truth = {
        (key.id, "cloud"): now - key.created_at
        for key in scene.listed()
        if now - key.created_at < DAY and {"cloud"} & {one.kind for one in key.resources}
    }
    assert {key.id for key in scene.created} <= {key_id for key_id, _ in truth}
    assert labelled(answer, "api_key_id", "resource_kind") == pytest.approx(truth, abs=30)


def vanished(_scene: Scene, answer: Answer) -> None:
    assert list(answer.values()) == [0]


def quotas(scene: Scene, answer: Answer) -> None:
    used = {
        (q.id, q.owner_id, q.resource_id): q.usage / q.limit
        for q in scene.organization.quotas()
        if q.usage is not None and "api_keys" in q.id
    }
    found = labelled(answer, "quota_id", "owner_id", "resource_id")
    for at, ratio in found.items():
        if at in used:
            assert ratio == pytest.approx(used[at])
    assert len(found) == 5
    assert min(found.values()) >= top(used)[-1] - 1e-9


def data_age(_scene: Scene, answer: Answer) -> None:
    found = labelled(answer, "collector")
    assert found.keys() == {("api_keys",), ("names",), ("quotas",)}
    assert found["api_keys",] < 30


def failing(_scene: Scene, answer: Answer) -> None:
    assert answer == {}


def rate_limit(_scene: Scene, answer: Answer) -> None:
    found = labelled(answer, "endpoint")
    assert all(0.5 < share < 1 for share in found.values())
    assert (USERS_PATH,) in found


def spent(scene: Scene, answer: Answer) -> None:
    truth = scene.requests()
    found = labelled(answer, "endpoint")
    assert {path for (path,) in found} == truth.keys()
    for (path,), count in found.items():
        assert 0 < count <= truth[path]


UNUSED = "Which owners of Kafka keys made no request in 30 days?"
ANSWERS: dict[str, Callable[[Scene, Answer], None]] = {
    "How many API keys does each organization have?": number_of_keys,
    "Who has the most keys?": most_keys,
    "Which resources have the most keys?": most_opened,
    "How many keys give access to each environment?": by_environment,
    "What can keys of users access?": of_people,
    "Who has keys for Cloud resource management?": cloud,
    "How many keys does each team have?": by_team,
    "Which owners have no team?": without_team,
    "How many keys are older than 90 days?": older_than_90_days,
    "What is the average age of the keys, by kind of owner?": average_age,
    "Whose oldest key is past the age limit?": past_the_limit,
    "Whose next key expires within 14 days?": expiring,
    "How many keys violate each policy?": findings,
    "How many findings are exempt?": exempted,
    "Who has the most keys past the age limit?": worst,
    "How many keys belong to deleted owners?": left_over,
    UNUSED: without_data,
    "How many keys were created since the exporter started, by kind of resource?": came,
    "Were Cloud or Global keys created in the last hour?": powerful,
    "Which Cloud or Global keys are younger than a day?": young_and_powerful,
    "What share of the keys vanished in the latest refresh?": vanished,
    "Which quotas are closest to their limit?": quotas,
    "How old is the data?": data_age,
    "Which collectors are failing?": failing,
    "How much of the rate limit is left?": rate_limit,
    "How many requests does the exporter send?": spent,
}


def test_every_question_has_its_truth() -> None:
    assert QUERIES.keys() == ANSWERS.keys()
    assert len(QUERIES) >= 15


@pytest.mark.parametrize("question", ANSWERS)
def test_the_query_answers_the_question(scene: Scene, question: str) -> None:
    ANSWERS[question](scene, scene.prometheus.query(QUERIES[question]))


def requests(cluster: str, principal: str, values: str) -> tuple[str, str]:
    """Return promtool's input for the vendor's metric of one principal, hourly from hour 0 on."""
    labels = f'kafka_id="{cluster}", principal_id="{principal}", type="Fetch", job="vendor"'
    return f"confluent_kafka_server_request_count{{{labels}}}", values


def kafka_keys(owner: str, cluster: str, kind: str = "kafka") -> tuple[str, str]:
    labels = f'organization="acme", owner_id="{owner}", resource_id="{cluster}"'
    return f'confluent_cloud_api_keys{{{labels}, resource_kind="{kind}"}}', "2x960"


BUSY = "7x960"


@pytest.mark.parametrize(
    ("cluster", "vendor", "unused"),
    [
        ("an owner that was never active", {"sa-busy": BUSY}, True),
        ("requests of 0", {"sa-busy": BUSY, "sa-1": "0x960"}, True),
        ("stopped 31 days ago", {"sa-busy": BUSY, "sa-1": "7x216 0x744"}, True),
        ("stopped 29 days ago", {"sa-busy": BUSY, "sa-1": "7x264 0x696"}, False),
        ("one request two weeks ago", {"sa-busy": BUSY, "sa-1": "0x623 1 0x335"}, False),
        ("still active", {"sa-busy": BUSY, "sa-1": BUSY}, False),
        ("no data at all", {}, False),
        ("no requests at all", {"sa-busy": "0x960", "sa-1": "0x960"}, False),
        ("no principals", {"": BUSY}, False),
        ("data for the last 20 days only", {"sa-busy": "_x480 7x480"}, False),
        ("idle for two days", {"sa-busy": "7x912 0x48"}, False),
        ("data until two days ago only", {"sa-busy": "7x912 _x48"}, False),
    ],
)
def test_owners_are_unused_by_the_metric_of_the_vendor(
    tmp_path: Path, cluster: str, vendor: dict[str, str], *, unused: bool
) -> None:
    """Another cluster has data throughout, and says nothing about this one."""
    series = [
        kafka_keys("sa-1", "lkc-1"),
        kafka_keys("sa-1", "lkc-2"),
        kafka_keys("sa-2", "lkc-2"),
        kafka_keys("", "lkc-2"),  # Confluent's own
        kafka_keys("sa-1", "lsrc-1", "schema-registry"),
        requests("lkc-2", "sa-1", BUSY),
        *(requests("lkc-1", principal, values) for principal, values in vendor.items()),
    ]
    expected = [("sa-2", "lkc-2"), *([("sa-1", "lkc-1")] if unused else [])]
    question = {
        "expr": QUERIES[UNUSED],
        "eval_time": "960h",
        "exp_samples": [{"labels": kafka_keys(*at)[0], "value": 2} for at in expected],
    }
    case = {
        "interval": "1h",
        "input_series": [{"series": name, "values": values} for name, values in series],
        "promql_expr_test": [question],
    }
    file = tmp_path / "case.yml"
    file.write_text(json.dumps({"tests": [case]}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{cluster}: {done.stdout}{done.stderr}"
