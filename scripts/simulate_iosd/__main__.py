"""scripts/simulate-iosd: compute, write, compare."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from simulate_iosd import report, results


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/simulate-iosd", description="Simulates IOSD and writes its report.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file would change")
    check = parser.parse_args(arguments).check
    changed = []
    for path, text in report.files(results.compute()).items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        changed.append(f"docs/{path.name}")
        if not check:
            path.write_text(text, encoding="utf-8")
    print("\n".join(changed) or "unchanged")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
