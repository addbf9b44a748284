"""A node's settlements as sums and as CSV, exact to the base unit."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest
from ionet.earnings import COLUMNS, Payment, as_csv, sums

KEY = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
SIGNED = KEY + KEY[:43]


def payment(at: int, currency: str, net: int, to_stakers: int = 0) -> Payment:
    return Payment(
        at=at,
        lease=KEY,
        signature=SIGNED,
        currency=currency,
        processor_secs=3_600,
        amount=net + 1,
        supplier_fee=1,
        supplier_amount=net,
        to_stakers=to_stakers,
        payout=KEY,
        owed=False,
    )


def test_sums_are_what_is_left_for_the_supplier_by_currency() -> None:
    newest_first = [payment(3, "IO", 5), payment(2, "IOSD", 100, 30), payment(1, "IOSD", 2**62)]
    assert sums(newest_first) == {"IO": 5, "IOSD": 2**62 + 70}


def test_csv_is_oldest_first_and_exact() -> None:
    text = as_csv([payment(1_700_000_000, "IO", 2**62), payment(0, "USDC", 1_500_000, 1)])
    header, first, second = csv.reader(io.StringIO(text))
    assert tuple(header) == COLUMNS
    assert first == [
        "1970-01-01T00:00:00+00:00",
        *(KEY, "USDC", "3600", "1.500001", "0.000001", "1.500000", "0.000001", KEY, "no", SIGNED),
    ]
    assert (second[0], second[6]) == ("2023-11-14T22:13:20+00:00", "46116860184.27387904")


@pytest.mark.parametrize("value", ["=1+1", "IOSD\n", "", "iosd", "@SUM(A1)"])
def test_what_a_spreadsheet_would_compute_is_not_taken(value: str) -> None:
    sent = msgspec.to_builtins(payment(1, "IOSD", 1)) | {"currency": value}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(sent, Payment)
