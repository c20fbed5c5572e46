"""Which changes of the web configuration are accepted while the server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.web_config import ClientAuth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.web_config import WebConfig

_STRENGTH = {ClientAuth.NONE: 0, ClientAuth.OPTIONAL: 1, ClientAuth.REQUIRED: 2}
_NO_AUTHENTICATION = (
    "does not authenticate clients, but `--web.enable-inventory` requires it; set"
    " `basic_auth_users`, or `client_auth_type: RequireAndVerifyClientCert`"
)


def change_problems(
    previous: WebConfig | None,
    config: WebConfig,
    *,
    is_empty: bool,
    require_authentication: bool,
) -> Iterator[tuple[str, str]]:
    """Yield the path and message of each problem with changing to ``config``, which is valid.

    ``previous``: None at the start. ``is_empty``: the file has no content at all.
    """
    if previous is not None and is_empty and (previous.tls is not None or previous.users):
        # Valid, but a file is also empty just after it was opened for writing.
        yield "", "is empty; to remove TLS and users, restart the exporter"
        return
    if previous is not None and (previous.tls is None) != (config.tls is None):
        switched = "off" if config.tls is None else "on"
        yield (
            "tls_server_config",
            f"TLS cannot be switched {switched} while the exporter is running; restart it",
        )
    if require_authentication and not config.authenticates:
        yield "", _NO_AUTHENTICATION


def loosens(previous: WebConfig, config: WebConfig) -> bool:
    """Whether ``config`` no longer has a kind of authentication that ``previous`` has.

    Or accepts further names of clients: the beginning of a name that is half written may be the
    name of another client, such as 10.0.0.1 of 10.0.0.12.
    """
    if previous.users and not config.users:
        return True
    before, after = previous.tls, config.tls
    if before is None or after is None:
        return False
    if _STRENGTH[after.client_auth] < _STRENGTH[before.client_auth]:
        return True
    names, allowed = set(after.client_allowed_sans), set(before.client_allowed_sans)
    return bool(allowed) and (not names or not names <= allowed)
