"""The files in ``systemd/``."""

from __future__ import annotations

import re

from tests.markdown import ROOT

FOLDER = ROOT / "systemd"
NAME = "confluent-api-keys-exporter"
SERVICE = FOLDER / f"{NAME}.service"
SOCKET = FOLDER / f"{NAME}.socket"
SYSUSERS = FOLDER / f"{NAME}.sysusers.conf"
TMPFILES = FOLDER / f"{NAME}.tmpfiles.conf"
ENVIRONMENT = FOLDER / f"{NAME}.default"
CONFIGURATION = FOLDER / "config.yaml"


def settings(setting: str) -> list[str]:
    """Return the values of ``setting`` in the unit of the service."""
    return re.findall(rf"^{setting}=(.*)$", SERVICE.read_text(), re.MULTILINE)


def value(setting: str) -> str:
    """Return the only value of ``setting`` in the unit of the service."""
    (found,) = settings(setting)
    return found


def credentials_folder() -> str:
    """Return the folder with the copies of credentials that systemd makes for the service."""
    return f"/run/credentials/{SERVICE.name}"


def copy_of(name: str) -> str:
    """Return the path of the copy of the credential file ``name``."""
    return f"{credentials_folder()}/{value('LoadCredential').partition(':')[0]}_{name}"
