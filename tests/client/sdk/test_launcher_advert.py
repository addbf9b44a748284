"""The advert of a launcher: only the holder of the session key can make it, and it ends."""

from __future__ import annotations

import msgspec
import pytest
from ionet.launcher_advert import LIFETIME_SECS, MAX_FEE, BadLauncher, LauncherAdvert, Signed, sign, verified
from solders.keypair import Keypair

NOW = 1_800_000_000
SESSION = Keypair()
ADVERT = LauncherAdvert(str(SESSION.pubkey()), "genesis", "https://launcher.example", 5_000, NOW + LIFETIME_SECS)


def refused(signed: Signed, now: int = NOW) -> str:
    with pytest.raises(BadLauncher) as caught:
        verified(signed, now)
    return str(caught.value)


def changed(signed: Signed, **fields: object) -> Signed:
    """The same signature over something else."""
    advert = msgspec.json.decode(signed.text, type=LauncherAdvert)
    return Signed(msgspec.json.encode(msgspec.structs.replace(advert, **fields)).decode(), signed.signature)


def test_an_advert_is_its_session_keys_own() -> None:
    signed = sign(SESSION, ADVERT)
    assert verified(signed, NOW) == ADVERT
    for field, value in (("fee", 0), ("url", "https://other.example"), ("session_key", str(Keypair().pubkey()))):
        assert "not signed by the session key" in refused(changed(signed, **{field: value}))
    assert "not signed by the session key" in refused(sign(Keypair(), ADVERT)), "by another key"
    assert "not signed by the session key" in refused(signed._replace(text=f"{signed.text} "))


def test_an_advert_ends() -> None:
    signed = sign(SESSION, ADVERT)
    assert verified(signed, NOW + LIFETIME_SECS - 1)
    assert "not good at this time" in refused(signed, NOW + LIFETIME_SECS)
    assert "not good at this time" in refused(signed, NOW - 3_601), "good for too long"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[" * 100_000,
        "null",
        msgspec.json.encode(msgspec.structs.replace(ADVERT, fee=MAX_FEE + 1)).decode(),
        msgspec.json.encode(msgspec.structs.replace(ADVERT, session_key="no key")).decode(),
        msgspec.json.encode(msgspec.structs.replace(ADVERT, fee=-1)).decode(),
        msgspec.json.encode({**msgspec.to_builtins(ADVERT), "more": 1}).decode(),
        "\ud800",
    ],
)
def test_what_is_no_advert_is_refused(text: str) -> None:
    assert "its advert is none" in refused(Signed(text, sign(SESSION, ADVERT).signature))


@pytest.mark.parametrize("signature", ["", "zz", "00", "00" * 65])
def test_what_is_no_signature_is_refused(signature: str) -> None:
    assert "its advert is none" in refused(sign(SESSION, ADVERT)._replace(signature=signature))
