"""The whole exporter over the simulator, in one process and in virtual time."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from exporter import config
from exporter.app import Exporter
from exporter.cli.describing import describe
from exporter.config import Organization
from exporter.exposition import Format
from exporter.simulator import (
    Account,
    ApiOptions,
    SimulatedRateLimit,
    Simulator,
    seeded_organization,
)
from tests.virtual_time import EPOCH, FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.config import Config
    from exporter.refresh import OrganizationState
    from exporter.simulator import Fault, SimulatedKey, SimulatedOrganization

API_KEY, SECRET = "ADMINKEY00000001", "the-secret-of-the-admin"
API_KEYS = "/iam/v2/api-keys"
URL = "http://127.0.0.1:8089"
OPTIONAL_SECTIONS = [
    name
    for name, field in Organization.model_fields.items()
    if "enabled" in getattr(field.annotation, "model_fields", {})
]
"""The settings of collectors that can be disabled."""


def api_key_credentials(number: int) -> str:
    return f"{{api_key_env: KEY_{number}, api_secret_env: SECRET}}"


def configuration(
    settings: str = "",
    *,
    names: Iterable[str] = ("acme",),
    more: str = "",
    url: str = URL,
    environ: Mapping[str, str] | None = None,
    credentials: Callable[[int], str] = api_key_credentials,
) -> Config:
    """Return a configuration whose ``defaults`` are ``settings`` (YAML in braces, or empty).

    :data:`OPTIONAL_SECTIONS` are disabled unless ``settings`` have them. ``more``: lines of YAML
    for each organization. ``credentials``: returns them for each number of an organization.
    """
    for section in OPTIONAL_SECTIONS:
        if not re.search(rf"\b{section}:", settings):
            settings = f"{settings}, {section}: {{enabled: false}}".removeprefix(", ")
    entries = "".join(
        f"  - name: {name}\n    credentials: {credentials(number)}\n{more}"
        for number, name in enumerate(names)
    )
    defaults = f"defaults: {{url: {url}{', ' + settings if settings else ''}}}\n"
    return config.parse(
        f"{defaults}organizations:\n{entries}",
        file="test",
        folder=Path(),
        environ=environment() if environ is None else environ,
    )


def environment() -> dict[str, str]:
    return {f"KEY_{number}": key_of(number) for number in range(1000)} | {"SECRET": SECRET}


def key_of(number: int) -> str:
    return API_KEY if number == 0 else f"ADMINKEY{number + 1:08d}"


class Wire(httpx.AsyncBaseTransport):
    """Passes requests on and remembers them as they were sent.

    ``meanwhile`` is called with the number of requests answered so far, after each answer.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, *, clock: FakeClock) -> None:
        self._inner = inner
        self._clock = clock
        self.sent: list[httpx.Request] = []
        self.received: list[tuple[float, httpx.Response]] = []
        self.meanwhile: Callable[[int], None] = lambda _: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        response = await self._inner.handle_async_request(request)
        self.received.append((self._clock.monotonic(), response))
        self.meanwhile(len(self.sent))
        return response


class Harness:
    """Simulated organizations, each seen by one organization of the exporter's configuration."""

    def __init__(  # each a property of the harness that tests choose
        self,
        keys: int | Iterable[SimulatedKey] = 25,
        *,
        settings: str = "",
        names: tuple[str, ...] = ("acme",),
        faults: Iterable[Fault] = (),
        rate_limit: SimulatedRateLimit | None = None,
        options: ApiOptions | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.organizations: Mapping[str, SimulatedOrganization] = {
            name: seeded_organization(
                seed=number, keys=keys if isinstance(keys, int) else 0, now=EPOCH
            )
            for number, name in enumerate(names)
        }
        self.accounts = [
            Account(key_of(number), SECRET, organization)
            for number, organization in enumerate(self.organizations.values())
        ]
        if not isinstance(keys, int):
            for key in keys:
                self.organization.add(key)
        self.simulator = self.create_simulator(
            faults=faults, rate_limit=rate_limit, options=options
        )
        self.wire: httpx.AsyncBaseTransport = Wire(self.simulator.transport(), clock=self.clock)
        self._settings, self._names = settings, names
        self.environ = environment()
        self.configured()

    def create_simulator(self, **settings: Any) -> Simulator:
        """Return the simulator of the organizations, with further ``settings``."""
        return Simulator(self.accounts, clock=self.clock, **settings)

    def configured(  # each a property of the exporter that tests choose
        self,
        more: str = "",
        *,
        url: str = URL,
        random_seed: int = 0,
        web_config_file: bool = False,
        keys_url: str | None = None,
    ) -> Self:
        """Begin with a new exporter; ``more`` and ``url`` as in :func:`configuration`."""
        self.config = configuration(
            self._settings,
            names=self._names,
            more=more,
            url=url,
            environ=self.environ,
            credentials=self.credentials,
        )
        self.exporter = Exporter(
            self.config,
            clock=self.clock,
            random=Random(random_seed),
            transport=lambda _: self.wire,
            process_metrics=False,
            web_config_file=web_config_file,
            keys_url=keys_url,
        )
        return self

    def meanwhile(self, happens: Callable[[int], None]) -> None:
        """Let ``happens`` be called after each answer, with how many there were."""
        assert isinstance(self.wire, Wire)
        self.wire.meanwhile = happens

    def credentials(self, number: int) -> str:
        """Return the credentials in the configuration of one organization, as YAML."""
        return api_key_credentials(number)

    @property
    def sent(self) -> list[httpx.Request]:
        """The requests as they went over the wire."""
        assert isinstance(self.wire, Wire)
        return self.wire.sent

    @property
    def received(self) -> list[tuple[float, httpx.Response]]:
        """The answers with the monotonic time at which each began."""
        assert isinstance(self.wire, Wire)
        return self.wire.received

    @property
    def organization(self) -> SimulatedOrganization:
        return next(iter(self.organizations.values()))

    @property
    def state(self) -> OrganizationState:
        return self.exporter.states()[0]

    def described(self) -> str:
        """Return what ``check`` prints about the first organization."""
        (organization, *_) = self.config.organizations
        return "\n".join(describe(organization, self.state, self.exporter.summaries(self.state)))

    def exposition(self) -> str:
        return self.exporter.exposition.scrape(Format.TEXT, gzip=False).decode()

    def series(self, name: str = "") -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Return what a scrape would get, by name and labels.

        ``name``: of the only metric to return, because parsing all of them is slow.
        """
        text = self.exposition()
        if name:
            lines = (line for line in text.split("\n") if line.startswith(name))
            text = "".join(f"{line}\n" for line in lines)
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if name in {"", sample.name}
        }

    def value(self, name: str, **labels: str) -> float | None:
        """Return one sample of the organization ``acme``, None if it is not exposed."""
        wanted = {"organization": "acme", **labels}.items()
        return self.series(name).get((name, frozenset(wanted)))

    def values(self, name: str, label: str) -> dict[str, float]:
        """Return the samples of ``name`` that are not 0, by the value of ``label``."""
        return {
            dict(labels)[label]: value for (_, labels), value in self.series(name).items() if value
        }
