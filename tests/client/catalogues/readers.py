"""Runs in an environment of its own: reads a catalogue as SkyPilot and dstack do, and prints what they find as JSON.

stdin: {"skypilot": FILE, "dstack": FILE, "accelerator": NAME, "count": NUMBER, "region": NAME}.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import gpuhunt
import pandas
from gpuhunt._internal import constraints, storage
from gpuhunt._internal.models import QueryFilter
from sky.catalog import common
from sky.skylet import constants
from sky.utils import registry


def of_skypilot(task: dict[str, Any]) -> dict[str, Any]:
    frame = pandas.read_csv(task["skypilot"])
    listed = common.list_accelerators_impl("ionet", frame, True, None, None, None)
    wanted = (frame, task["accelerator"], task["count"])
    kinds, _ = common.get_instance_type_for_accelerator_impl(*wanted, region=task["region"])
    [kind] = kinds
    return {
        "listed": {
            name: [[item.instance_type, item.accelerator_count, item.device_memory, item.price] for item in items]
            for name, items in listed.items()
        },
        "cheapest": kind,
        "hourly": common.get_hourly_cost_impl(frame, kind, False, task["region"], None),
        "accelerators": common.get_accelerators_from_instance_type_impl(frame, kind),
        "region": common.validate_region_zone_impl("ionet", frame, task["region"], None)[0],
        "schema": constants.CATALOG_SCHEMA_VERSION,
        "can_be_named": "ionet" in constants.ALL_CLOUDS or "ionet" in registry.CLOUD_REGISTRY,
    }


def of_dstack(task: dict[str, Any]) -> dict[str, Any]:
    with open(task["dstack"], newline="") as file:
        items = list(storage.load(file, provider="ionet"))
    wanted = QueryFilter(gpu_name=[task["accelerator"]], min_gpu_count=task["count"], max_price=100.0)
    try:
        gpuhunt.Catalog(auto_reload=False).query(provider="ionet")
        can_be_named = True
    except ValueError:
        can_be_named = False
    return {
        "columns": storage.CATALOG_V2_FIELDS,
        "items": [{**asdict(item), "cpu_arch": item.cpu_arch.value} for item in items],
        "matching": [item.instance_name for item in items if constraints.matches(item, wanted)],
        "can_be_named": can_be_named,
    }


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump({"skypilot": of_skypilot(asked), "dstack": of_dstack(asked)}, sys.stdout)
