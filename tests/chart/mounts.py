"""Creates the files that a pod sees, below a folder."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import yaml

from tests.jwts import jwt

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chart.helm import Manifest, Rendered
