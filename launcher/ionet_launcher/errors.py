"""Errors a person sees: one line, with the exit code of the command line."""

from __future__ import annotations

from ionet.errors import IonetError


class ConfigError(IonetError):
    """the settings cannot be used"""


class AlreadyRunning(IonetError):
    """another process works here already"""
