"""The commands of a role's page in docs/, as people type them: the first block of its quick start."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
FIVE = 5


def commands(page: str, **places: str) -> list[list[str]]:
    """The words after `ionet` of each. places: what stands for words in capitals, by name."""
    block = re.search(r"^```sh\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    assert block is not None
    found = [shlex.split(line, comments=True) for line in block[1].splitlines()]
    assert len(found) == FIVE
    assert {words[0] for words in found} == {"ionet"}
    return [[places.get(word, word) for word in words[1:]] for words in found]
