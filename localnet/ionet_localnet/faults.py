"""Faults that a test asks for: lost, late and repeated transactions, lost notifications. Seeded, so repeatable."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ionet_localnet.errors import InvalidSetting


@dataclass(frozen=True)
class FaultConfig:
    """What goes wrong on purpose. All but the last two are probabilities, each from 0 to 1."""

    # A transaction is answered with its signature and never executed.
    drop: float = 0.0
    # A transaction is executed 1 to `max_delay` blocks later.
    delay: float = 0.0
    # A transaction is delivered twice, the second time 0 to `max_delay` blocks later.
    duplicate: float = 0.0
    # A websocket notification is lost.
    drop_notification: float = 0.0
    max_delay: int = 8
    # The same calls in the same order meet the same faults.
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("drop", "delay", "duplicate", "drop_notification"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidSetting(f"{name} must be from 0 to 1")
        if self.max_delay < 1:
            raise InvalidSetting("max_delay must be at least one block")


class FaultPlan:
    """Draws the fate of each transaction and notification."""

    def __init__(self, config: FaultConfig) -> None:
        self._config = config
        self._transactions = random.Random(config.seed)
        self._notifications = random.Random(config.seed + 1)

    def deliveries(self) -> list[int]:
        """Delays, in blocks, of each delivery of the next transaction; an empty list means that it is lost."""
        draw, config = self._transactions, self._config
        if draw.random() < config.drop:
            return []
        delays = [draw.randint(1, config.max_delay) if draw.random() < config.delay else 0]
        if draw.random() < config.duplicate:
            delays.append(draw.randint(0, config.max_delay))
        return delays

    def loses_notification(self) -> bool:
        return self._notifications.random() < self._config.drop_notification
