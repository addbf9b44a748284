"""Who can hurt whom, and at what cost: the table in docs/security.md is what the program does, and its bounds hold."""

from __future__ import annotations

from fractions import Fraction

import pytest
from program import harm
from program.harm import ATTACKS, outcome_of
from program.harms import renters, stakers, suppliers
from program.harms.play import Attack, Outcome, Tokens, price_of, tokens
from program.lives.table import SECS
from program.test_security import TEST, names_in
from program.world import HOUR, IO_UNIT

each = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.who} {attack.what}"[:70])


def attack_by(played: object) -> Outcome:
    (found,) = [attack for attack in ATTACKS if attack.play is played]
    return outcome_of(found)


def test_the_page_says_what_the_program_does() -> None:
    _, inside, _ = harm.parts(harm.PAGE.read_text(encoding="utf-8"))
    assert inside.strip() == harm.table().strip(), "run scripts/measure-harm"


@each
def test_others_lose_no_more_than_the_bound(attack: Attack) -> None:
    found = outcome_of(attack)
    if isinstance(attack.most, Tokens):
        assert found.factor is None
        assert found.loss.usd <= attack.most.usd
        assert found.loss.io <= attack.most.io
    else:
        assert found.factor is not None
        # A payment is rounded by less than a unit.
        assert found.loss.io <= attack.most * (found.cost.io + 1)
        assert found.loss.usd <= attack.most * (found.cost.usd + 1)


@each
def test_nobody_ends_with_more_tokens(attack: Attack) -> None:
    cost = outcome_of(attack).cost
    assert cost.usd >= 0
    assert cost.io >= 0


@each
def test_the_test_that_is_named_exists(attack: Attack) -> None:
    ((file, name, _),) = TEST.findall(f"`{attack.test}`")
    assert name in names_in(file)


@pytest.mark.parametrize(
    ("played", "cost", "loss"),
    [
        (renters.withholds_two, 2 * SECS, 2 * SECS),
        (renters.withholds_all_and_ends, HOUR, 2 * SECS - 1),
        (renters.withholds_one_in_eight, 5 * SECS, 5 * SECS),
        (suppliers.marks_ready_without_a_machine, 0, 60),
        (suppliers.claims, 0, HOUR),
        (suppliers.claims_and_leaves, 0, HOUR + 2 * SECS),
        (suppliers.serves_an_hour_and_claims, 0, HOUR),
        (suppliers.leaves_falsely, 2 * SECS, 0),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_money_for_time_is_what_the_rules_say(played: object, cost: int, loss: int) -> None:
    """Seconds of the price; each payment is rounded by less than a unit."""
    found = attack_by(played)
    assert (found.cost.io, found.loss.io) == (0, 0)
    assert abs(found.cost.usd - price_of(cost).usd) <= 1
    assert abs(found.loss.usd - price_of(loss).usd) <= 1


def test_what_a_renter_denies_in_a_long_lease_they_pay_for() -> None:
    """The agent stays for four intervals of 720, and the last comes too late to leave."""
    found = attack_by(renters.withholds_what_never_makes_the_agent_leave)
    whole, paid = price_of(720 * SECS).usd, price_of((720 - 5) * SECS).usd
    assert found == Outcome(price_of(5 * SECS), Tokens(usd=whole - paid))


def test_no_stake_of_others_burns_at_less_than_half_of_its_price() -> None:
    """The highest tiers, half and half: 30 % and 50 % of 16,000 IO, of which a quarter comes back to the attackers."""
    found = [outcome_of(attack) for attack in ATTACKS if attack.who == "owner, renter and reporter"]
    parts = [3_000, 5_000]
    assert [(each.cost, each.loss) for each in found[1:3]] == [
        (Tokens(io=16_000 * IO_UNIT * bps // 40_000), Tokens(io=16_000 * IO_UNIT * bps // 20_000)) for bps in parts
    ]
    # With a third of the pool a third of 8,000 IO, and half of that back.
    assert (found[3].factor or 0) == pytest.approx(4)
    assert abs(found[3].loss.io - 16_000 * IO_UNIT // 3) <= 1


def test_a_gain_would_be_seen() -> None:
    """What is compared above is no constant: an attacker who comes out ahead, and a bound that does not hold."""
    assert Outcome(Tokens(usd=-1), Tokens(usd=5)).factor is None
    assert Outcome(Tokens(usd=2), Tokens(usd=5)).factor == Fraction(5, 2)
    assert Outcome(Tokens(io=3), Tokens()).factor == 0
    assert tokens(-1_234_500_000, 1_000_000) == "-1,234.5"


def test_every_role_has_its_attacks() -> None:
    assert {attack.who for attack in stakers.ATTACKS} >= {"owner", "arbiter", "nobody", "stranger, keeper, reporter"}
