"""Live offers as catalogues of other schedulers: SkyPilot's `vms.csv` (schema v8), and dstack's (gpuhunt v2). Pure.

Neither the chain nor an advert says how many CPUs and how much memory a node has: SkyPilot's columns of it are empty;
dstack's must be numbers and are 0, so that whoever asks for a minimum does not find the node.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ionet.countries import LETTERS
from ionet.offers import Offer, OfferGpu

Row = dict[str, str]
_MICRO, _MIB = 1_000_000, 1024
# An advert whose memory is that near to the model's nominal one, in percent, means the model's.
_NEAR = 10

SKYPILOT_COLUMNS = (
    *("InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "Price", "SpotPrice"),
    *("Region", "AvailabilityZone", "GpuInfo", "Arch"),
)
DSTACK_COLUMNS = (
    *(
        "instance_name",
        "location",
        "price",
        "cpu",
        "memory",
        "gpu_count",
        "gpu_name",
        "gpu_memory",
        "spot",
        "disk_size",
    ),
    *("gpu_vendor", "flags", "cpu_arch", "provider_data"),
)


class Known(NamedTuple):
    """A device model as others call it. memory_gib: nominal, of its smallest version."""

    skypilot: str
    dstack: str
    memory_gib: int
    vendor: str = "NVIDIA"


MODELS = {
    "B200": Known("B200", "B200", 180),
    "H200": Known("H200", "H200", 141),
    "H100": Known("H100", "H100", 80),
    "A100-80": Known("A100-80GB", "A100", 80),
    "A100-40": Known("A100", "A100", 40),
    "L40S": Known("L40S", "L40S", 48),
    "L4": Known("L4", "L4", 24),
    "T4": Known("T4", "T4", 16),
    "V100": Known("V100", "V100", 16),
    "RTX A6000": Known("RTXA6000", "A6000", 48),
    "RTX A5000": Known("RTXA5000", "A5000", 24),
    "RTX A4000": Known("RTXA4000", "A4000", 16),
    "RTX 6000 Ada": Known("RTX6000-Ada", "RTX6000Ada", 48),
    "RTX 5000 Ada": Known("RTX5000-Ada", "RTX5000Ada", 32),
    "RTX 4090": Known("RTX4090", "RTX4090", 24),
    "RTX 4080": Known("RTX4080", "RTX4080", 16),
    "RTX 4070 Ti": Known("RTX4070-Ti", "RTX4070Ti", 12),
    "RTX 4070": Known("RTX4070", "RTX4070", 12),
    "RTX 4060 Ti": Known("RTX4060-Ti", "RTX4060Ti", 8),
    "RTX 3090 Ti": Known("RTX3090-Ti", "RTX3090Ti", 24),
    "RTX 3090": Known("RTX3090", "RTX3090", 24),
    "RTX 3080 Ti": Known("RTX3080-Ti", "RTX3080Ti", 12),
    "RTX 3080": Known("RTX3080", "RTX3080", 10),
    "RTX 3070": Known("RTX3070", "RTX3070", 8),
    "RTX 3060": Known("RTX3060", "RTX3060", 8),
}
"""By the name in the chain's list of device models. Those that neither format has a name for are not here."""

Gpus = Mapping[str, Sequence[OfferGpu]]


def skypilot(offers: Iterable[Offer], gpus: Gpus) -> list[Row]:
    """A row for each model, number of GPUs, memory and country, at its lowest price. Prices are of the whole node.

    gpus: what the nodes say of their devices, by node.
    """
    cheapest: dict[tuple[str, str], Row] = {}
    for offer in offers:
        known = MODELS.get(offer.model_name or "")
        if known is None:
            continue
        memory, count = _memory_gib(known, gpus.get(offer.node, ())), offer.processors
        kind = f"{count}x-{known.skypilot}" + ("" if memory == known.memory_gib else f"-{memory}GB")
        size = memory * _MIB
        device = {"Name": known.skypilot, "Manufacturer": known.vendor, "Count": float(count)}
        info = {"Gpus": [{**device, "MemoryInfo": {"SizeInMiB": size}}], "TotalGpuMemoryInMiB": size * count}
        values = (kind, known.skypilot, str(count), "", "", _hourly(offer), "", _place(offer), "", repr(info), "")
        place = (kind, _place(offer))
        if place not in cheapest or _units(cheapest[place]["Price"]) > int(offer.price) * count:
            cheapest[place] = dict(zip(SKYPILOT_COLUMNS, values, strict=True))
    return [cheapest[place] for place in sorted(cheapest)]


def dstack(offers: Iterable[Offer], gpus: Gpus) -> list[Row]:
    """A row for each node, named by its address; the price is of the whole node."""
    rows = []
    for offer in offers:
        known = MODELS.get(offer.model_name or "")
        if known is None:
            continue
        memory = str(_memory_gib(known, gpus.get(offer.node, ())))
        data = {
            "currencies": list(offer.currencies),
            "min_duration_secs": offer.min_duration,
            "max_duration_secs": offer.max_duration,
        }
        count = str(offer.processors)
        values = (
            *(offer.node, _place(offer), _hourly(offer), "0", "0", count, known.dstack, memory, "False", ""),
            *(known.vendor.lower(), "", "", json.dumps(data)),
        )
        rows.append(dict(zip(DSTACK_COLUMNS, values, strict=True)))
    return rows


def unnamed(offers: Iterable[Offer]) -> list[str]:
    """Device models among the offers that the formats have no name for."""
    return sorted({offer.model_name or str(offer.model) for offer in offers} - MODELS.keys())


def as_csv(rows: Iterable[Row], columns: Sequence[str]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _memory_gib(known: Known, said: Sequence[OfferGpu]) -> int:
    """Of one device: the nominal one, unless the node's own word is clearly another."""
    sizes = [gpu.memory_mib for gpu in said if gpu.memory_mib]
    if not sizes or abs(min(sizes) - known.memory_gib * _MIB) * 100 <= _NEAR * known.memory_gib * _MIB:
        return known.memory_gib
    return max(1, round(min(sizes) / _MIB))


def _hourly(offer: Offer) -> str:
    """Dollars per hour of the whole node, exact."""
    whole, rest = divmod(int(offer.price) * offer.processors, _MICRO)
    return f"{whole}.{rest:06d}"


def _units(dollars: str) -> int:
    return int(dollars.replace(".", ""))


def _place(offer: Offer) -> str:
    return LETTERS.get(offer.country, str(offer.country))
