"""What a node reports about its machine, on the layouts that hosts have; its hash is that of what is served."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from agent.gpu_hosts import Host
from ionet.check.devices import Device, cuda, find, network_mbits
from ionet.check.report import Report
from ionet_agent.report import measure

H100, RTX = "NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 4090"
UUIDS = [f"GPU-00000000-0000-0000-0000-00000000000{number}" for number in range(9)]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def row(number: int, model: str, uuid: str, memory: int | str, generation: int | str = 5) -> str:
    return f"{number}, {model}, {uuid}, {memory}, {generation}, 16, 550.90.07\n"


def test_a_host_without_gpus_has_none(host: Host) -> None:
    found = find(host.root, host.path)
    assert (found.devices, found.driver, found.fault) == ([], None, None)


def test_names_uuids_memory_and_links_come_from_nvidia_smi(host: Host) -> None:
    host.proc([(H100, UUIDS[1]), (H100, UUIDS[2])])
    host.smi("".join(row(number, H100, UUIDS[number + 1], 81559) for number in range(2)))
    found = find(host.root, host.path)
    assert [device.uuid for device in found.devices] == UUIDS[1:3]
    assert found.devices[0] == Device(
        name=H100, uuid=UUIDS[1], memory_bytes=81559 * 2**20, link_bytes_per_sec=16 * 3_938_000_000
    )
    assert found.driver is not None
    assert "550.90.07" in found.driver


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("| NVIDIA-SMI 580.159.04             Driver Version: 580.159.04     CUDA Version: 13.0     |\n", "13.0"),
        ("CUDA Version                                           : 12.4\n", "12.4"),
        ("| NVIDIA-SMI 550.90.07     Driver Version: 550.90.07     CUDA Version: N/A     |\n", None),
        (f"CUDA Version: {'9' * 5000}.0\n", None),
        ("", None),
    ],
    ids=["table", "list", "none", "nonsense", "silent"],
)
def test_the_version_of_cuda_is_the_drivers(host: Host, said: str, version: str | None) -> None:
    assert cuda(host.path) is None
    host.smi(said)
    assert cuda(host.path) == version


def test_a_host_without_proc_driver_nvidia_has_the_devices_of_nvidia_smi(host: Host) -> None:
    """WSL2: /dev/dxg, and nothing in /proc."""
    host.smi(row(0, RTX, UUIDS[1], 24564, "[N/A]"), f"GPU 0: {RTX} (UUID: {UUIDS[1]})\n")
    found = find(host.root, host.path)
    assert found.devices == [Device(name=RTX, uuid=UUIDS[1], memory_bytes=24564 * 2**20)]
    assert found.driver == "550.90.07"


@pytest.mark.parametrize(
    "memory", ["9" * 5000, str(2**33), "-1", "\u0661"], ids=["long", "2**53", "negative", "arabic"]
)
def test_a_size_that_cannot_be_so_is_none(host: Host, memory: str) -> None:
    host.smi(row(0, RTX, UUIDS[1], memory, "9" * 5000), f"GPU 0: {RTX} (UUID: {UUIDS[1]})\n")
    assert find(host.root, host.path).devices == [Device(name=RTX, uuid=UUIDS[1])]


@pytest.mark.parametrize("size", [-1, 2**53])
def test_a_reported_size_has_bounds(size: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps({"name": "card", "memory_bytes": size}), type=Device)


def test_a_host_without_nvidia_smi_has_the_devices_of_proc(host: Host) -> None:
    host.proc([(H100, UUIDS[1]), (H100, "GPU-????????-????-????-????-????????????")])
    assert find(host.root, host.path).devices == [Device(name=H100, uuid=UUIDS[1]), Device(name=H100)]


def test_a_card_split_by_mig_counts_as_its_instances(host: Host) -> None:
    host.proc([(H100, UUIDS[2])])
    listed = (
        f"GPU 0: {H100} (UUID: {UUIDS[2]})\n"
        "  MIG 3g.40gb     Device  0: (UUID: MIG-00000000-0000-0000-0000-000000000003)\n"
        "  MIG 3g.40gb     Device  1: (UUID: MIG-00000000-0000-0000-0000-000000000004)\n"
    )
    host.smi(row(0, H100, UUIDS[2], 81559), listed)
    assert find(host.root, host.path).devices == [
        Device(name=f"{H100} MIG 3g.40gb", uuid=f"MIG-00000000-0000-0000-0000-00000000000{number}") for number in (3, 4)
    ]


def test_cards_that_do_not_answer_are_a_fault_though_proc_still_lists_them(host: Host) -> None:
    host.proc([(H100, uuid) for uuid in UUIDS[:8]])
    host.smi("Unable to determine the device handle for GPU0000:B3:00.0: Unknown Error\n", code=15)
    found = find(host.root, host.path)
    assert found.devices == []
    assert found.fault == (
        "the devices do not answer: nvidia-smi ended with 15: "
        "Unable to determine the device handle for GPU0000:B3:00.0: Unknown Error"
    )


@pytest.mark.parametrize("code", [0, 6])
def test_a_driver_without_cards_is_no_fault(host: Host, code: int) -> None:
    host.smi("No devices were found\n", "No devices were found\n", code)
    found = find(host.root, host.path)
    assert (found.devices, found.fault) == ([], None)


def test_what_nvidia_smi_never_prints_is_a_fault(host: Host) -> None:
    host.smi("Segmentation fault\n")
    assert find(host.root, host.path).fault == (
        "nvidia-smi cannot be understood: 'Segmentation fault' does not have 7 fields"
    )


def test_the_network_is_that_of_the_fastest_interface_with_hardware(host: Host) -> None:
    assert network_mbits(host.root) is None
    host.interface("lo", "0").interface("tun0", "40000", hardware=False).interface("eth0", "1000")
    host.interface("eth1", "25000").interface("wlan0", "-1")
    assert network_mbits(host.root) == 25_000


def test_the_hash_is_that_of_what_is_served_and_the_same_each_time(host: Host) -> None:
    host.smi(row(0, RTX, UUIDS[1], 24564)).interface("eth0", "10000")
    report = measure(host.root, host.path)
    assert report == measure(host.root, host.path)
    assert report.hash() == sha256(report.canonical()).digest()
    served = json.loads(report.canonical())
    assert list(served) == sorted(Report.__struct_fields__)
    assert served["network_mbits"] == 10_000
    assert served["devices"][0]["uuid"] == UUIDS[1]
