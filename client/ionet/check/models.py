"""Which device model of the chain a card is, by the name that its driver gives it. Pure.

A card that is not exactly a model is none: laptop versions, "SUPER", "D" and instances of MIG are other cards.
"""

from __future__ import annotations

import re

from ionet.check.devices import Device

_GIB = 1024**3
# Words of a driver's name that say nothing about how fast a card is: its maker, its family, how it is plugged in.
_NOISE = re.compile(r"^(nvidia|tesla|geforce|quadro|generation|nvl|pcie|hbm\w+|sxm\w*|\d+gb)$")
_MODELS = {
    **{name.lower(): name for name in ("B200", "H200", "H100", "L40S", "L4", "T4", "V100")},
    **{f"rtx {name.lower()}": f"RTX {name}" for name in ("A6000", "A5000", "A4000", "6000 Ada", "5000 Ada")},
    **{f"rtx {number}": f"RTX {number}" for number in (4090, 4080, 4070, 3090, 3080, 3070, 3060)},
    **{f"rtx {number} ti": f"RTX {number} Ti" for number in (4070, 4060, 3090, 3080)},
}
_A100 = "a100"


def model_of(device: Device) -> str | None:
    """Its name in the chain's list of device models; None where that has none."""
    words = device.name.replace("-", " ").lower().split()
    bare = " ".join(word for word in words if not _NOISE.match(word))
    if bare == _A100 and device.memory_bytes is not None:
        return "A100-80" if device.memory_bytes > 60 * _GIB else "A100-40"
    return _MODELS.get(bare)
