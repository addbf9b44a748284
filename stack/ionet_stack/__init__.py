"""Starts all the others on one machine: `ionet up` and `ionet demo`."""
