"""Names as NVIDIA's driver gives them, and which device model of the chain they are."""

from __future__ import annotations

import pytest
from ionet.api.network import known_models
from ionet.check.devices import Device
from ionet.check.models import model_of
from ionet.generated.enums import DeviceKind

MIB = 1024 * 1024
NAMES = {
    "NVIDIA B200": "B200",
    "NVIDIA H200": "H200",
    "NVIDIA H200 NVL": "H200",
    "NVIDIA H100 80GB HBM3": "H100",
    "NVIDIA H100 PCIe": "H100",
    "NVIDIA L40S": "L40S",
    "NVIDIA L4": "L4",
    "Tesla T4": "T4",
    "Tesla V100-SXM2-16GB": "V100",
    "Tesla V100-PCIE-32GB": "V100",
    "NVIDIA RTX A6000": "RTX A6000",
    "NVIDIA RTX A5000": "RTX A5000",
    "NVIDIA RTX A4000": "RTX A4000",
    "NVIDIA RTX 6000 Ada Generation": "RTX 6000 Ada",
    "NVIDIA RTX 5000 Ada Generation": "RTX 5000 Ada",
    "NVIDIA GeForce RTX 4090": "RTX 4090",
    "NVIDIA GeForce RTX 4080": "RTX 4080",
    "NVIDIA GeForce RTX 4070 Ti": "RTX 4070 Ti",
    "NVIDIA GeForce RTX 4070": "RTX 4070",
    "NVIDIA GeForce RTX 4060 Ti": "RTX 4060 Ti",
    "NVIDIA GeForce RTX 3090 Ti": "RTX 3090 Ti",
    "NVIDIA GeForce RTX 3090": "RTX 3090",
    "NVIDIA GeForce RTX 3080 Ti": "RTX 3080 Ti",
    "NVIDIA GeForce RTX 3080": "RTX 3080",
    "NVIDIA GeForce RTX 3070": "RTX 3070",
    "NVIDIA GeForce RTX 3060": "RTX 3060",
}
OTHERS = [
    "NVIDIA GeForce RTX 4090 Laptop GPU",
    "NVIDIA GeForce RTX 4090 D",
    "NVIDIA GeForce RTX 4080 SUPER",
    "NVIDIA GeForce RTX 4070 Ti SUPER",
    "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
    "NVIDIA GH200 480GB",
    "NVIDIA A10",
    "unknown",
    "",
]


@pytest.mark.parametrize(("name", "model"), NAMES.items())
def test_a_card_is_the_model_of_its_name(name: str, model: str) -> None:
    assert model_of(Device(name=name)) == model


@pytest.mark.parametrize(
    ("name", "mib", "model"),
    [
        ("NVIDIA A100-SXM4-80GB", 81_920, "A100-80"),
        ("NVIDIA A100 80GB PCIe", 81_920, "A100-80"),
        ("NVIDIA A100-SXM4-40GB", 40_960, "A100-40"),
        ("NVIDIA A100-PCIE-40GB", 40_960, "A100-40"),
        ("NVIDIA A100-PCIE-40GB", None, None),
    ],
)
def test_an_a100_is_told_by_its_memory(name: str, mib: int | None, model: str | None) -> None:
    assert model_of(Device(name=name, memory_bytes=None if mib is None else mib * MIB)) == model


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_only_like_a_model_is_none(name: str) -> None:
    assert model_of(Device(name=name)) is None


def test_every_gpu_of_the_chains_list_can_be_found() -> None:
    listed = {model.name for model in known_models() if model.kind == DeviceKind.GPU}
    assert listed == {*NAMES.values(), "A100-80", "A100-40"}
