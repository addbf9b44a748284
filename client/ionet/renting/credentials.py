"""What a Ray driver of the renter's own needs to be part of a cluster."""

from __future__ import annotations

import os
from pathlib import Path

from ionet.agent_api import Spec
from ionet.errors import InvalidInput


def written(spec: Spec, folder: Path) -> dict[str, str]:
    """Write token and certificates for their owner only; returns the environment. Raises InvalidInput.

    The address is one of the cluster's own network: whoever is not in it reaches it only where all is on one machine.
    """
    files = {"token": spec.token, "ca.pem": spec.ca, "node.pem": spec.certificate, "node.key": spec.key}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
    except OSError as error:
        raise InvalidInput(f"cannot write to {folder}: {error.strerror}") from None
    return {
        "RAY_ADDRESS": spec.address,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_USE_TLS": "1",
        "RAY_TLS_CA_CERT": str(folder / "ca.pem"),
        "RAY_TLS_SERVER_CERT": str(folder / "node.pem"),
        "RAY_TLS_SERVER_KEY": str(folder / "node.key"),
    }
