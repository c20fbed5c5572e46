"""Makes the links of README.md absolute, because relative links do not work on a package index."""

from __future__ import annotations

import posixpath
import re
import runpy
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(
    r'(\]\(\s*<?|^\[[^]]+\]:\s*|\b(?:src|srcset|href)=")(?![a-z][a-z0-9+.-]*:|//)([^\s<>")]+)',
    re.MULTILINE,
)
_PICTURES = (".gif", ".jpg", ".png", ".svg", ".webp")


class LongDescription(MetadataHookInterface):
    """Hatchling calls this for every wheel and source distribution."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the long description."""
        root = Path(self.root)
        about = runpy.run_path(str(root / "exporter" / "version.py"))
        text = (root / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(text, about["PROJECT_URL"], about["__version__"]),
        }


def with_absolute_links(text: str, project_url: str, version: str) -> str:
    """Return README.md with links to the files of the release ``version``.

    Pictures lead to ``raw``, because ``blob`` is a page about a file.
    """

    def absolute(match: re.Match[str]) -> str:
        before, target = match.groups()
        path, mark, anchor = target.partition("#")
        path = posixpath.normpath(path) if path else "README.md"
        view = "raw" if path.endswith(_PICTURES) else "blob"
        return f"{before}{project_url}/{view}/v{version}/{path}{mark}{anchor}"

    parts = _CODE.split(text)
    parts[::2] = [_LINK.sub(absolute, each) for each in parts[::2]]
    return "".join(parts)
