"""The API keys that the simulator accepts, and what they may see."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.simulator.model import SimulatedKey
    from exporter.simulator.organization import SimulatedOrganization


@dataclass
class Account:
    """A Cloud API key and the rights of its owner in one organization.

    May be changed while in use, as roles and secrets do change. ``role`` ``none`` gets a 403 for
    every listing. ``visible`` filters the keys silently. Paths in ``denied`` get a 403, those in
    ``empty`` a 200 without items (``docs/confluent-cloud-api.md#who-sees-which-keys``).

    Without ``metrics_viewer``, the Metrics API answers 403. It does, too, for a query that names
    one of ``unreadable_clusters``.
    """

    api_key: str
    api_secret: str = field(repr=False)
    organization: SimulatedOrganization
    role: Literal["OrganizationAdmin", "none"] = "OrganizationAdmin"
    visible: Callable[[SimulatedKey], bool] | None = None
    denied: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()
    metrics_viewer: bool = True
    unreadable_clusters: frozenset[str] = frozenset()


class Accounts:
    """Accounts by API key.

    ``others``: accounts without a valid API key, such as those of identity pools.

    Raises ``ValueError`` if two accounts have the same API key, or two organizations the same id.
    """

    def __init__(self, accounts: Iterable[Account], *, others: Iterable[Account] = ()) -> None:
        self._by_api_key: dict[str, Account] = {}
        for account in accounts:
            if account.api_key in self._by_api_key:
                raise ValueError(f"two accounts have the API key {account.api_key}")
            self._by_api_key[account.api_key] = account
        organizations: dict[str, SimulatedOrganization] = {}
        for account in (*self._by_api_key.values(), *others):
            organization = account.organization
            if organizations.setdefault(organization.id, organization) is not organization:
                raise ValueError(f"two organizations have the id {organization.id}; vary the seed")

    def authenticate(self, authorization: str | None) -> Account | None:
        """Return the account for the value of an ``Authorization`` header, if it is valid."""
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            credentials = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            return None
        api_key, _, api_secret = credentials.partition(":")
        account = self._by_api_key.get(api_key)
        return account if account and account.api_secret == api_secret else None
