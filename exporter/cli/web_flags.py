"""The flags of the web server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli import argument_types as types

if TYPE_CHECKING:
    import argparse


def add_web_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that ``run`` and ``demo`` share."""
    parser.add_argument(
        "--web.config.file",
        dest="web_config_file",
        type=types.file_path,
        metavar="FILE",
        help="Web configuration file with TLS, users and headers, in the format of the Prometheus"
        " exporter-toolkit. Changes take effect without a restart. Default: plain HTTP without"
        " authentication",
    )
    parser.add_argument(
        "--web.external-url",
        dest="web_external_url",
        type=types.external_url,
        metavar="URL",
        help="URL at which browsers reach the exporter, such as https://keys.example.com. Used for"
        " links in alerts. Default of `run`: no links",
    )
    parser.add_argument(
        "--web.probe-listen-address",
        dest="web_probe_addresses",
        action="append",
        type=types.address,
        default=[],
        metavar="ADDRESS",
        help="Address that serves only /-/healthy and /-/ready, in plain HTTP and without"
        " authentication. May be repeated. Default: the addresses of the metrics",
    )
    parser.set_defaults(web_systemd_socket=False)


def add_run_web_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that only ``run`` has."""
    parser.add_argument(
        "--web.enable-lifecycle",
        dest="web_lifecycle",
        action="store_true",
        help="Reload the configuration files on POST or PUT /-/reload, as on SIGHUP.",
    )
    parser.add_argument(
        "--web.enable-inventory",
        dest="web_inventory",
        action="store_true",
        help="Serve the list of API keys on /keys, /keys.csv and /keys.json. Requires"
        " authentication in the web configuration file, or only loopback addresses.",
    )
    parser.add_argument(
        "--web.systemd-socket",
        dest="web_systemd_socket",
        action="store_true",
        help="Listen on the sockets of a systemd .socket unit instead of --web.listen-address.",
    )
