"""The program on a supplier's machine: one process per node, and the only one that holds its device key."""
