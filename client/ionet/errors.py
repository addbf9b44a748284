"""Exceptions of the client. The docstring of a class is its message."""

from __future__ import annotations


class IonetError(Exception):
    """something the ionet client refuses"""

    exit_code = 1

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(detail)

    def __str__(self) -> str:
        message = (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]
        return f"{message}: {self.detail}" if self.detail else message
