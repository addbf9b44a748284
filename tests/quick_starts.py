"""The commands of a role's quick start, as people type them."""

from __future__ import annotations

import re
import shlex

from lib.walks import DOCS, PAGES, commands

FIVE = 5


def lines(role: str) -> list[str]:
    """Of a shell, all of its only block of commands."""
    found = commands(PAGES[role])
    assert len(found) == FIVE
    assert page(role).count("```sh\n") == 1
    return found


def words(role: str, **places: str) -> list[list[str]]:
    """The words after `ionet` of each. places: what stands for words in capitals, by name."""
    found = [shlex.split(line) for line in lines(role)]
    assert {line[0] for line in found} == {"ionet"}
    return [[places.get(word, word) for word in line[1:]] for line in found]


def page(role: str) -> str:
    return (DOCS / PAGES[role]).read_text()


def job() -> str:
    """The script that the renter's page begins with."""
    [script] = re.findall(r"^```python\n(.*?)^```", page("renter"), re.DOTALL | re.MULTILINE)
    return str(script)
