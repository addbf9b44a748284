"""What a newcomer of each role types and sees: the first block of a page, and its recording as an SVG."""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).resolve().parents[2] / "docs"
WALKS = DOCS / "walks"
PAGES = {
    "renter": "start/renter.md",
    "supplier": "start/supplier.md",
    "staker": "start/staker.md",
    "analyst": "start/analyst.md",
    "operator": "start/operator.md",
}
"""The page of each role, below `DOCS`."""
_COLUMNS = 132
# Lines of an answer, after which the rest is left out.
_MOST_LINES = 14
# Rich's own frame, without the fonts that it would fetch from elsewhere.
_FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def commands(page: str) -> list[str]:
    """The lines of a page's first block, without what is said of them."""
    block = re.search(r"^```sh\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    assert block is not None
    return [re.sub(r"\s+#.*$", "", line) for line in block[1].splitlines()]


@dataclass
class Recording:
    """Commands and what they printed, as it happened. hidden: what stands for a text, by the text."""

    hidden: dict[str, str] = field(default_factory=dict)
    _lines: list[tuple[str, str]] = field(default_factory=list)

    def typed(self, command: str) -> None:
        if self._lines:
            self._lines.append(("", ""))
        self._lines.append(("bold", f"$ {self._shown(command)}"))

    def printed(self, output: str, most: int = _MOST_LINES) -> None:
        """The first lines of it, each as long as the terminal is wide."""
        lines = [line.rstrip() for line in output.splitlines() if line.strip()]
        shown = lines if len(lines) <= most else [*lines[: most - 1], "..."]
        self._lines += [("", self._shown(line)) for line in shown]

    def svg(self, title: str) -> str:
        console = Console(
            record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
        )
        for style, line in self._lines:
            cut = line if len(line) <= _COLUMNS else line[: _COLUMNS - 3] + "..."
            console.print(Text(cut, style=style), soft_wrap=True)
        return console.export_svg(title=title, code_format=_FORMAT, unique_id="walk")

    def _shown(self, text: str) -> str:
        for found, instead in self.hidden.items():
            text = text.replace(found, instead)
        return "".join(letter if letter.isprintable() else " " for letter in text)


def typed(svg: str) -> list[str]:
    """The commands that a recording shows."""
    rows: dict[str, str] = {}
    for at, text in re.findall(r'<text [^>]*y="([\d.]+)"[^>]*>(.*?)</text>', svg):
        rows[at] = rows.get(at, "") + unescape(text).replace("\xa0", " ")
    return [row[2:].rstrip() for row in rows.values() if row.startswith("$ ")]


def same(page: str, shown: str) -> bool:
    """Whether a shown command is the page's, which names what it does not know in capitals; more options may follow."""
    wanted, found = shlex.split(page), shlex.split(shown)
    pairs = list(zip(wanted, found, strict=False))
    return len(pairs) == len(wanted) and all(word == other or _stands(word) for word, other in pairs)


def _stands(word: str) -> bool:
    return bool(re.fullmatch(r"[A-Z]{2,}", word))
