"""Mutants of the program's syntax tree and whether the tests notice them; see scripts/mutate and docs/mutation.md."""
