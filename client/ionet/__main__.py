"""`python -m ionet`."""

from __future__ import annotations

from ionet.cli import main

if __name__ == "__main__":
    main()
