"""The renter's driver, run beside the head of the leased cluster: a blocked matrix product whose every block is proven.

Prints one JSON line per block: its place, the node that computed it, and the hash it can be traced by.
"""

from __future__ import annotations

import json
import logging
import os

import ionet.ray
import numpy as np
import ray
from ionet.rules.merkle import result_hash

SIZE, BLOCKS, SEED = 768, 4, 20_240_625


@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def multiply(rows: np.ndarray, columns: np.ndarray) -> tuple[str, np.ndarray]:
    """One block of the product, recorded on the node's proof log before it leaves the node."""
    block = np.ascontiguousarray(rows @ columns)
    ionet.ray.record(ionet.ray.result_bytes(block))
    return os.environ["IONET_NODE"], block


def main() -> None:
    ray.init(logging_level=logging.ERROR, log_to_driver=False)
    random = np.random.default_rng(SEED)
    left, right = (random.integers(-1_000, 1_000, size=(SIZE, SIZE), dtype=np.int64) for _ in range(2))
    step = SIZE // BLOCKS
    bands = [slice(i * step, (i + 1) * step) for i in range(BLOCKS)]
    rows, columns = [ray.put(left[band]) for band in bands], [ray.put(right[:, band]) for band in bands]
    places = [(i, j) for i in range(BLOCKS) for j in range(BLOCKS)]
    results = ray.get([multiply.remote(rows[i], columns[j]) for i, j in places])
    product = np.block([[results[i * BLOCKS + j][1] for j in range(BLOCKS)] for i in range(BLOCKS)])
    if not np.array_equal(product, left @ right):
        raise SystemExit("the product is wrong")
    for place, (node, block) in zip(places, results, strict=True):
        hashed = result_hash(ionet.ray.result_bytes(block)).hex()
        print(json.dumps({"block": place, "node": node, "result": hashed}), flush=True)


if __name__ == "__main__":
    main()
