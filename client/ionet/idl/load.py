"""Read an IDL from bytes, a file, or the package's own artifacts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from ionet.idl.model import SPEC, Idl, IdlError


def load(data: bytes | str) -> Idl:
    """Parse IDL JSON. Raises IdlError when it is not an IDL, or of another specification."""
    try:
        idl = msgspec.json.decode(data, type=Idl)
    except msgspec.DecodeError as error:
        raise IdlError(f"not an Anchor IDL of spec {SPEC}: {error}") from None
    if idl.metadata.spec != SPEC:
        raise IdlError(f"IDL spec {idl.metadata.spec} is not supported, only {SPEC}")
    return idl


def load_file(path: str | Path) -> Idl:
    """Parse the IDL in a file. Raises IdlError also when the file cannot be read."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise IdlError(f"cannot read the IDL {path}: {error.strerror}") from None
    return load(data)


@cache
def bundled(name: str = "ionet") -> Idl:
    """The IDL that was built with the program and is shipped in `ionet/artifacts`."""
    resource = files("ionet") / "artifacts" / f"{name}.json"
    try:
        return load(resource.read_bytes())
    except FileNotFoundError:
        raise IdlError(f"this installation has no IDL called {name!r}") from None
