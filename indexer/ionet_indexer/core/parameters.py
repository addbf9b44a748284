"""The parameters that several paths take: what the API accepts in them, and how its description says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from ionet.countries import NUMBERS
from ionet.generated.enums import USD_DECIMALS
from litestar.openapi.spec import Example, OpenAPIType, Schema
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from ionet_indexer.core.paging import CURSOR_MAX, MAX_LIMIT
from ionet_indexer.core.refusals import BadValue

ADDRESS = r"^[1-9A-HJ-NP-Za-km-z]{32,44}$"
SIGNATURE = r"^[1-9A-HJ-NP-Za-km-z]{64,88}$"
A_SIGNATURE = "4dxmQ8ddCCatQx8HqBQJYsH7SWYCnGLkb3Sh6ry1nRrnNyU5kKzkMPfuJwBTkcZ2KsHBDzH8NxFyEFQoyYzy2xpk"
HASH = r"^[0-9a-f]{64}$"
A_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
AN_ADDRESS = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
MOST_TIME = 1 << 53  # seconds; from here on JSON readers round
COUNTRIES = "|".join(sorted(NUMBERS))
COUNTRY = rf"^({COUNTRIES}|[1-9][0-9]{{0,2}})$"
PRICE = rf"^([0-9]{{1,20}}|[0-9]{{1,12}}(\.[0-9]{{1,{USD_DECIMALS}}})?usd/h)$"
TEXT = r"^[^\x00-\x1f\x7f]+$"  # `check_parameters` refuses the rest, whatever the parameter
MODEL_MAX = 32  # bytes of a device model's name


def query(description: str, example: Any = None, *, told: Mapping[str, Any] | None = None, **limits: Any) -> Any:
    """A query parameter with words about it.

    limits: as `QueryParameter` takes them. told: members of its schema that the handler sees to itself, because it
    can say better what was wrong.
    """
    return QueryParameter(description=description, examples=_example(example), **_limits(limits, told))


def path(description: str, example: Any = None, *, told: Mapping[str, Any] | None = None, **limits: Any) -> Any:
    """A part of the path, likewise."""
    return PathParameter(description=description, examples=_example(example), **_limits(limits, told))


def header(
    name: str, description: str, example: Any = None, *, told: Mapping[str, Any] | None = None, **limits: Any
) -> Any:
    """A header, likewise."""
    return HeaderParameter(name=name, description=description, examples=_example(example), **_limits(limits, told))


def _limits(limits: Mapping[str, Any], told: Mapping[str, Any] | None) -> dict[str, Any]:
    """With the zero that Litestar leaves out of its description."""
    least = {"minimum": 0} if limits.get("ge") == 0 else {}
    return {**limits, "schema_extra": {**least, **(told or {})} or None}


def word(description: str, *known: str, example: str | None = None) -> Any:
    """A query parameter that is one of a few words; the handler refuses others, see `check_word`."""
    return query(description, example or known[0], max_length=max(map(len, known)), told=_enum(known))


def check_word(name: str, value: str, known: Iterable[str]) -> None:
    """Refuse a word that is none of those which `word` told. Raises BadValue."""
    check_words(name, [value], known)


def check_words(name: str, values: Iterable[str], known: Iterable[str]) -> None:
    """Likewise for those of `some_words`."""
    if unknown := [value for value in values if value not in known]:
        raise BadValue(f"{name}: {', '.join(map(repr, unknown))}; known are {', '.join(known)}")


def some_words(description: str, *known: str) -> Any:
    """A query parameter that names one or several of a few words, with commas; see `Filter`."""
    extra = {"type": OpenAPIType.ARRAY, "one_of": None, "items": Schema(**_enum(known)), "min_items": 1}
    return query(
        f"{description} One or several, with commas.".strip(),
        [known[0]],
        max_length=sum(map(len, known)) + len(known),
        told=extra | {"unique_items": True, "max_length": None},
    )


def _enum(known: tuple[str, ...]) -> dict[str, Any]:
    return {"type": OpenAPIType.STRING, "one_of": None, "enum": list(known)}


def _example(value: Any) -> list[Example] | None:
    return None if value is None else [Example(value=value)]


Key = Annotated[str, path("An address, base58.", AN_ADDRESS, pattern=ADDRESS)]
Address = Annotated[str | None, query("An address, base58.", AN_ADDRESS, pattern=ADDRESS)]
Since = Annotated[int | None, query("From this time on, unix seconds.", 1_790_000_000, ge=0, lt=MOST_TIME)]
Until = Annotated[int | None, query("Before this time, unix seconds.", 1_890_000_000, ge=0, lt=MOST_TIME)]
Cursor = Annotated[str | None, query("`next` of the page before, of this list.", told={"maxLength": CURSOR_MAX})]
Limit = Annotated[int, query("Most items on a page.", 50, ge=1, le=MAX_LIMIT)]
Tier = Annotated[int | None, query("Tier of the node, 0 to 4.", 0, ge=0, le=4)]
_MODEL = "A device model: its code, or what people call it: `H100`, `4090`."
Model = Annotated[str | None, query(_MODEL, "H100", min_length=1, max_length=MODEL_MAX, told={"pattern": TEXT})]
ModelOrAddress = Annotated[
    str,
    path(f"{_MODEL} Or the address of its account.", "H100", min_length=1, max_length=44, told={"pattern": TEXT}),
]
ModelKey = Annotated[str, path(_MODEL, "H100", min_length=1, max_length=MODEL_MAX, told={"pattern": TEXT})]
Country = Annotated[
    str | None,
    query("Where the node says it is: ISO 3166-1, two letters or the number.", "DE", told={"pattern": COUNTRY}),
]
Price = Annotated[
    str | None,
    query(
        "Micro-dollars per processor-hour, or dollars with their unit: `500000` is `0.5usd/h`.",
        "0.5usd/h",
        told={"pattern": PRICE},
    ),
]


def country_number(text: str) -> int:
    """The number of a country named by its letters or its number. Raises BadValue."""
    if not re.fullmatch(COUNTRY, text):
        raise BadValue(f"country: ISO 3166-1 has no country {text!r}")
    return NUMBERS.get(text) or int(text)


def micro_dollars(text: str) -> str:
    """A price as the tables have it. Exact: what is below a micro-dollar is refused. Raises BadValue."""
    if not re.fullmatch(PRICE, text):
        raise BadValue(
            f"{text!r} is neither micro-dollars nor dollars like 0.5usd/h with at most {USD_DECIMALS} digits"
        )
    dollars = text.removesuffix("usd/h")
    if dollars == text:
        return text
    whole, _, part = dollars.partition(".")
    return str(int(whole + part.ljust(USD_DECIMALS, "0")))
