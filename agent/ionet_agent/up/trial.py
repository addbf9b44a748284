"""The self-test: a Ray node in a room as for a renter, a task on each of its processors, and all of it taken down.

Its files are in a folder of its own, so that what a kill leaves is found and ended by the next one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ionet.agent_api import Phase, Role, Spec
from ionet.check.devices import Device
from ionet.errors import IonetError
from solders.pubkey import Pubkey

from ionet_agent.config import AgentConfig
from ionet_agent.providers.local import LocalProvider

_START_SECS, _WORK_SECS, _LOOK_SECS = 300.0, 120.0, 0.1
_MOST_OUTPUT, _STARTS = 64 * 1024, 3
_SCRIPT = """
import hashlib, ray
ray.init(logging_level="error")
@ray.remote(num_gpus=1)
def work(number):
    return hashlib.sha256(number.to_bytes(8, "little") + {seed!r}).hexdigest()
print("answer", *ray.get([work.remote(number) for number in range({processors})]), flush=True)
"""


class TrialFailed(IonetError):
    """this machine could not serve a renter"""


async def run(config: AgentConfig, processors: int, devices: list[Device], ip: str) -> float:
    """Seconds until Ray was up. config: with its level, of the agent to be. Raises TrialFailed."""
    provider = _provider(config, devices, ip)
    lease, began = str(Pubkey.new_unique()), time.monotonic()
    try:
        await provider.start(_spec(lease, provider.address, ip, processors))
        await _until_up(provider)
        took = time.monotonic() - began
        await _work(provider, processors)
    except OSError as error:
        raise TrialFailed(str(error)) from None
    finally:
        await provider.stop(lease)
        await provider.close()
    return took


async def sweep(config: AgentConfig, ip: str) -> None:
    """End what a trial that was killed has left."""
    provider = _provider(config, [], ip)
    left = await provider.adopt()
    if left.lease is not None:
        await provider.stop(left.lease)
    await provider.close()


def _provider(config: AgentConfig, devices: list[Device], ip: str) -> LocalProvider:
    """Whose files are beside the agent's."""
    config = replace(config, base=config.base.with_name("trial"), ip=ip, network=None)
    config.base.mkdir(mode=0o700, parents=True, exist_ok=True)
    return config.provider(Pubkey.default(), config.place(devices))


async def _until_up(provider: LocalProvider) -> None:
    deadline, starts = time.monotonic() + _START_SECS, 1
    while (status := await provider.tend()).phase is not Phase.UP:
        if status.phase is Phase.FAILED:
            # Ray gives a start up where a machine is busy; an agent starts it again as well.
            if starts == _STARTS:
                raise TrialFailed(f"Ray ended: {status.reason}")
            starts += 1
            await provider.restart()
        if time.monotonic() > deadline:
            raise TrialFailed(f"Ray was not up after {_START_SECS:g} s")
        await asyncio.sleep(_LOOK_SECS)


async def _work(provider: LocalProvider, processors: int) -> None:
    """A task on each processor, whose answers are looked at: one that has not run cannot give them."""
    seed = secrets.token_bytes(16)
    driver = await provider.run_driver(_SCRIPT.format(seed=seed, processors=processors).encode())
    output = b""
    try:
        async with asyncio.timeout(_WORK_SECS):
            while len(output) < _MOST_OUTPUT and (piece := await driver.read()):
                output += piece
            await driver.ended()
    except TimeoutError:
        raise TrialFailed(f"its tasks did not end within {_WORK_SECS:g} s") from None
    finally:
        driver.kill()
    answers = [sha256(number.to_bytes(8, "little") + seed).hexdigest() for number in range(processors)]
    lines = output.decode(errors="replace").splitlines()
    if " ".join(["answer", *answers]) not in lines:
        raise TrialFailed(lines[-1][:200] if lines else "its tasks said nothing")


def _spec(lease: str, address: str, ip: str, processors: int) -> Spec:
    """Of a cluster of one, whose only certificate is its authority too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ionet trial")])
    now = datetime.now(UTC)
    places = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ip)), x509.DNSName("localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(places, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    return Spec(
        lease=lease,
        cluster=lease,
        role=Role.HEAD,
        address=address,
        processors=processors,
        token=secrets.token_hex(32),
        ca=pem,
        certificate=pem,
        key=secret,
    )
