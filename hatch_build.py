"""What only a release knows: the repository's address, for the project's and the README's links.

A package index shows the README alone, where relative links lead nowhere. The address is written
down nowhere: a release finds it in its environment, as GitHub's workflows set it, so that a fork's
packages point to the fork.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s]+)\)")


class RepositoryLinks(MetadataHookInterface):
    """Fills in `readme` and `urls`."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """See `MetadataHookInterface.update`."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        address = _repository_address()
        if address:
            readme = absolute_links(readme, address, f"v{metadata['version']}")
            metadata["urls"] = {
                "Repository": address,
                "Issues": f"{address}/issues",
                "Changelog": f"{address}/blob/main/CHANGELOG.md",
                "Documentation": f"{address}/blob/main/docs/README.md",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}


def absolute_links(markdown: str, address: str, tag: str) -> str:
    """Let relative links lead into the repository at a tag, and pictures to their bytes there."""

    def absolute(match: re.Match[str]) -> str:
        bang, text, path = match.groups()
        return f"{bang}[{text}]({address}/{'raw' if bang else 'blob'}/{tag}/{path})"

    return _RELATIVE.sub(absolute, markdown)


def _repository_address() -> str | None:
    server, repository = (os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY"))
    return f"{server}/{repository}" if server and repository else None
