"""Who may ask, and what they see."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.records import SimulatedKey


@dataclass
class Account:
    """A Cloud API key and the rights of its owner in one organization.

    May be changed while it is in use: roles are lost and secrets are rotated in life. ``role``
    ``none`` is refused with a 403. ``visible`` filters the keys silently, with a 200 (facts §0.3).
    Roles do not reach everywhere: the paths in ``denied`` are a 403, those in ``empty`` a 200
    without items, as it was seen of users (facts §1.10).
    """

    api_key: str
    api_secret: str = field(repr=False)
    organization: SimulatedOrganization
    role: Literal["OrganizationAdmin", "none"] = "OrganizationAdmin"
    visible: Callable[[SimulatedKey], bool] | None = None
    denied: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()


def basic_credentials(header: str | None) -> tuple[str, str] | None:
    """Return key and secret of an ``Authorization`` header, or None if it is not Basic."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        api_key, separator, secret = (
            base64.b64decode(encoded, validate=True).decode().partition(":")
        )
    except (binascii.Error, ValueError):
        return None
    return (api_key, secret) if separator else None


def by_api_key(accounts: Iterable[Account]) -> dict[str, Account]:
    """Return ``accounts`` by their API keys.

    Raises ``ValueError`` if they cannot be told apart, or two of their organizations cannot:
    organizations of the same seed have the same id.
    """
    found: dict[str, Account] = {}
    organizations: dict[str, SimulatedOrganization] = {}
    for account in accounts:
        if account.api_key in found:
            raise ValueError(f"two accounts have the API key {account.api_key}")
        found[account.api_key] = account
        organization = account.organization
        if organizations.setdefault(organization.id, organization) is not organization:
            raise ValueError(f"two organizations have the id {organization.id}; vary the seed")
    return found
