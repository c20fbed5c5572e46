"""The client for the Confluent Cloud API.

Two layers: a :class:`~exporter.confluent.host.Host` sends a request and returns a checked answer;
:func:`~exporter.confluent.listing.pages` reads a listing over a host.

::

    listing ──> host ──> exchange ──> connection ──> transport ──> network
                 ├─────> credentials
                 └─────> pacing ──> throttle
"""
