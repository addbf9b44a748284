"""The pictures of the pages: those that the docs show are there, and small."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
MOST_BYTES = 60_000


def test_pictures_are_shown_and_small() -> None:
    shown = set(re.findall(r"\((pages/[\w-]+\.webp)\)", (DOCS / "web.md").read_text()))
    assert shown == {f"pages/{path.name}" for path in (DOCS / "pages").iterdir()}
    for path in (DOCS / "pages").iterdir():
        data = path.read_bytes()
        assert (data[:4], data[8:12]) == (b"RIFF", b"WEBP"), path
        assert len(data) <= MOST_BYTES, path
