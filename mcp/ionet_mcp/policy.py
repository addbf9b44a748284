"""When a person is asked before money is committed."""

from __future__ import annotations

from dataclasses import dataclass

from ionet.cli.parsing import amount
from ionet.errors import InvalidInput


@dataclass(frozen=True)
class Policy:
    """above: micro-dollars; a budget of more is asked first. None: nothing is asked."""

    above: int | None

    @classmethod
    def parse(cls, text: str) -> Policy:
        """`always`, `never`, or dollars above which is asked. Raises InvalidInput."""
        if text == "always":
            return cls(-1)
        if text == "never":
            return cls(None)
        try:
            return cls(amount(text, "dollars"))
        except InvalidInput:
            raise InvalidInput(f"--confirm {text!r}; write always, never, or dollars above which is asked") from None

    def asks(self, total: int) -> bool:
        return self.above is not None and total > self.above

    def __str__(self) -> str:
        if self.above is None:
            return "nothing is asked within the limits"
        return "a person is asked before each booking" if self.above < 0 else "a person is asked before large bookings"
