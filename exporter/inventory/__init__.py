"""Keys to counts: pure functions and immutable results, without a clock or a connection."""

from exporter.inventory.inventory import Inventory, fold
from exporter.inventory.keys import Key, Owner, Resource, key_of

__all__ = ["Inventory", "Key", "Owner", "Resource", "fold", "key_of"]
