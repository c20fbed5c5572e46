"""The collector of the API keys: lists them and folds them into the inventory."""

from exporter.collectors.api_keys.collector import ApiKeysCollector
from exporter.collectors.api_keys.latest_listing import latest_listing
from exporter.collectors.api_keys.listing import MAX_KEYS, list_items
from exporter.collectors.api_keys.own_key import own_key
from exporter.collectors.api_keys.settings import rules_of, teams_of
from exporter.collectors.api_keys.state import API_KEYS_STATE, ApiKeysState, ChurnTotals

__all__ = [
    "API_KEYS_STATE",
    "MAX_KEYS",
    "ApiKeysCollector",
    "ApiKeysState",
    "ChurnTotals",
    "latest_listing",
    "list_items",
    "own_key",
    "rules_of",
    "teams_of",
]
