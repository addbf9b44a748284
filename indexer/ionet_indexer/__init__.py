"""Mirrors the ionet program into PostgreSQL and serves it."""
