"""Client of the ionet program: codec, transactions, CLI, local chain."""
