"""The exported catalogues, read by SkyPilot and by dstack's catalogue reader themselves."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import own_environment
import pytest
from ionet import catalogues
from ionet.api.network import known_models
from ionet.offers import Offer, OfferGpu

HERE = Path(__file__).parent
GERMANY, FRANCE = 276, 250


def offer(node: str, model: str, processors: int, price: int, country: int = GERMANY) -> Offer:
    return Offer(node * 32, 0, model, processors, str(price), country, ["IOSD"], 3600, 86_400, 0)


OFFERS = [
    offer("A", "RTX 4090", 1, 310_000),
    offer("B", "RTX 4090", 1, 250_000),
    offer("C", "RTX 4090", 4, 250_001),
    offer("D", "RTX 4090", 1, 240_000, FRANCE),
    offer("E", "A100-80", 8, 1_900_000),
    offer("F", "RTX 3060", 1, 90_000),
    offer("G", "Apple M3 Max", 1, 90_000),
]
GPUS = {
    "A" * 32: [OfferGpu("NVIDIA GeForce RTX 4090", 24_564)],
    "F" * 32: [OfferGpu("NVIDIA GeForce RTX 3060", 12_288)],
    "E" * 32: [OfferGpu("NVIDIA A100 80GB PCIe", None)],
}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What both make of the same offers."""
    folder = tmp_path_factory.mktemp("catalogues")
    python = own_environment.python("catalogues", HERE / "requirements.txt")
    tables = {
        "skypilot": (catalogues.skypilot(OFFERS, GPUS), catalogues.SKYPILOT_COLUMNS),
        "dstack": (catalogues.dstack(OFFERS, GPUS), catalogues.DSTACK_COLUMNS),
    }
    task: dict[str, Any] = {"accelerator": "RTX4090", "count": 1, "region": "DE"}
    for name, (rows, columns) in tables.items():
        file = folder / f"{name}.csv"
        file.write_text(catalogues.as_csv(rows, columns))
        task[name] = str(file)
    variables = {"HOME": str(folder), "PATH": os.defpath, "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    command = [str(python), "-I", str(HERE / "readers.py")]
    done = subprocess.run(
        command, input=json.dumps(task), capture_output=True, text=True, timeout=300, check=False, env=variables
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


def test_skypilot_finds_the_cheapest_of_a_region(read: dict[str, Any]) -> None:
    found = read["skypilot"]
    assert found["schema"] == "v8"
    assert (found["cheapest"], found["hourly"], found["region"]) == ("1x-RTX4090", 0.25, "DE")
    assert found["accelerators"] == {"RTX4090": 1}


def test_skypilot_lists_every_model_with_memory_and_price_of_the_node(read: dict[str, Any]) -> None:
    assert read["skypilot"]["listed"] == {
        "A100-80GB": [["8x-A100-80GB", 8, 80, 15.2]],
        # Of each kind the cheapest anywhere.
        "RTX4090": [["1x-RTX4090", 1, 24, 0.24], ["4x-RTX4090", 4, 24, 1.000004]],
        "RTX3060": [["1x-RTX3060-12GB", 1, 12, 0.09]],
    }


def test_dstack_reads_every_node(read: dict[str, Any]) -> None:
    found = read["dstack"]
    assert found["columns"] == list(catalogues.DSTACK_COLUMNS)
    assert found["matching"] == [letter * 32 for letter in "ABCD"]
    items = {item["instance_name"][0]: item for item in found["items"]}
    assert set(items) == set("ABCDEF")
    node = items["E"]
    assert (node["location"], node["price"], node["spot"]) == ("DE", 15.2, False)
    assert (node["gpu_vendor"], node["gpu_name"], node["gpu_count"], node["gpu_memory"]) == ("nvidia", "A100", 8, 80)
    assert (node["cpu"], node["memory"], node["disk_size"], node["flags"]) == (0, 0, None, [])
    assert node["provider_data"]["max_duration_secs"] == 86_400


def test_neither_can_be_told_of_another_provider(read: dict[str, Any]) -> None:
    """Why there is no plugin (docs/export.md): once this fails, there can be one."""
    assert (read["skypilot"]["can_be_named"], read["dstack"]["can_be_named"]) == (False, False)


def test_prices_are_exact_and_columns_are_all_there() -> None:
    rows = catalogues.skypilot(OFFERS, GPUS)
    text = catalogues.as_csv(rows, catalogues.SKYPILOT_COLUMNS)
    assert list(csv.DictReader(io.StringIO(text))) == rows
    assert {row["InstanceType"]: row["Price"] for row in rows if row["Region"] == "DE"} == {
        "1x-RTX4090": "0.250000",
        "4x-RTX4090": "1.000004",
        "8x-A100-80GB": "15.200000",
        "1x-RTX3060-12GB": "0.090000",
    }
    for row in rows:
        info = ast.literal_eval(row["GpuInfo"])
        assert info["TotalGpuMemoryInMiB"] == info["Gpus"][0]["MemoryInfo"]["SizeInMiB"] * int(row["AcceleratorCount"])


def test_every_nvidia_model_of_the_network_has_its_names() -> None:
    shipped = {model.name for model in known_models()}
    assert shipped - catalogues.MODELS.keys() == {"Apple M3 Max", "Apple M4 Max"}
    assert catalogues.unnamed(OFFERS) == ["Apple M3 Max"]
