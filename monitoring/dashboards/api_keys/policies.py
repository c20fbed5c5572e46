"""The policies in words."""

from __future__ import annotations

TITLES = {
    "max_age": "older than allowed",
    "expires_within": "expiring soon",
    "expired": "expired",
    "max_keys_per_owner_and_resource": "too many of an owner",
    "user_owned": "owned by people",
    "undescribed": "undescribed",
    "unknown_owner": "owner is gone",
}
