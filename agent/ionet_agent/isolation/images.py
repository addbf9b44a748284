"""The image of the containers: nothing but the links of this system's root, so that no registry is asked for any.

What programs need is shown from the machine itself, read-only, as to `bubblewrap`.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def empty(links: Mapping[str, str]) -> tuple[str, bytes]:
    """Its name, and the archive of which a runtime's `load` makes it. links: name in the root → where it leads."""
    layer = _tar({}, links)
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    name = f"ionet-lease:{digest[:12]}"
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {"layer.tar": layer, "config.json": _json(config), "manifest.json": _json(manifest)}
    return name, _tar(files, {})


def _tar(files: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    """The same bytes for the same content."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size, about.mode = len(data), 0o644
            tar.addfile(about, io.BytesIO(data))
        for name, target in sorted(links.items()):
            about = tarfile.TarInfo(name)
            about.type, about.linkname = tarfile.SYMTYPE, target
            tar.addfile(about)
    return made.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
