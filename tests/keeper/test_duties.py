"""Nothing that anyone may do is forgotten, and what is listed exists."""

from __future__ import annotations

from pathlib import Path

from ionet.duties import DUTIES, NO_DUTY
from ionet.duties.reading import NOUNS
from ionet.program import PROGRAM

ROOT = Path(__file__).resolve().parents[2]
# Names of signers whose account says who they must be. Others may be anyone.
BOUND = {
    *("authority", "pauser", "arbiter", "owner", "device_key", "new_device_key", "supplier", "beneficiary"),
    *("renter", "defender", "staker"),
}


def signers(name: str) -> set[str]:
    found = PROGRAM.codec.instruction(name).accounts
    return {account.name for account in found if account.signer}


def test_everything_that_anyone_may_do_is_a_duty_or_has_a_reason() -> None:
    anyones = {item.name for item in PROGRAM.codec.idl.instructions if not signers(item.name) & BOUND}
    named = {duty.name for duty in DUTIES}
    assert anyones <= named | set(NO_DUTY), anyones - named - set(NO_DUTY)
    assert set(NO_DUTY) <= anyones
    assert not named & set(NO_DUTY)
    # Of these the signer may be anyone once the time has come.
    assert named - anyones == {"end_lease", "decide_case"}


def test_every_duty_is_documented() -> None:
    page = (ROOT / "docs/keeper.md").read_text()
    missing = [duty.name for duty in DUTIES if f"`{duty.name}`" not in page]
    assert missing == []


def test_every_noun_can_be_read() -> None:
    assert {duty.noun for duty in DUTIES} - {*NOUNS.values(), "burn_vault", "owed"} == set()
