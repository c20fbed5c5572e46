"""Teams: who is responsible for which owners."""

from exporter.config.fields import Name
from exporter.config.patterns_section import PatternsSection


class Team(PatternsSection):
    """A team, with its owners and resources.

    It is responsible for an owner if a pattern matches the owner, or a resource of one of its keys.
    Of several teams, the first is.
    """

    name: Name
    """Value of the label `team`, unique in its list."""
