"""Every field of the API's answers: its form, and a sentence where name and form do not say it.

fields.txt has a line `field form sentence` for each; `Answer.field` is that of one answer alone. A form is one of
`forms.FORMS`, or `=Words` of `forms.WORDS`.
"""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple


class Told(NamedTuple):
    """What a line says."""

    form: str
    text: str


def _read(line: str) -> tuple[str, Told]:
    name, form, *text = line.split(" ", 2)
    return name, Told(form, *text or [""])


_LINES = files("ionet_indexer.api.description").joinpath("fields.txt").read_text().splitlines()
FIELDS: dict[str, Told] = dict(_read(line) for line in _LINES if line)


def told(answer: str, field: str) -> Told:
    """What is said of a field of an answer. Raises KeyError where nothing is."""
    return FIELDS.get(f"{answer}.{field}") or FIELDS[field]
