"""The three currencies of clusters, as bits of a set in nodes' terms."""

from __future__ import annotations

from ionet.errors import InvalidInput

CURRENCIES = {"IOSD": 1, "USDC": 2, "IO": 4}


def currency_bit(name: str) -> int:
    """The bit of a currency. Raises InvalidInput for an unknown name."""
    if name not in CURRENCIES:
        raise InvalidInput(f"currency {name}; known are {', '.join(CURRENCIES)}")
    return CURRENCIES[name]


def currency_name(bit: int) -> str:
    """The name of one currency's bit. Raises InvalidInput for any other number."""
    for name, known in CURRENCIES.items():
        if known == bit:
            return name
    raise InvalidInput(f"{bit} is the number of no currency")
