"""TLS between an agent and its callers: the keys that the chain knows, and nobody who vouches for them.

An agent's certificate is its node's device key, signed by that key. A caller takes nothing but what the key signed that
the chain names for the node, so another key fails in the handshake, before anything is asked. A caller's certificate is
its session key, or a key that the renter's wallet names (`ionet.agent_delegation`).

An agent cannot know before the handshake which key comes, and OpenSSL hands over only what an authority signed.
`_ANYBODY` is that authority: everybody has its key, so it vouches for nothing. That the caller has the key of its
certificate is what the handshake proves; whether that key may ask for anything, the agent decides by the chain.
"""

from __future__ import annotations

import datetime
import os
import ssl
import tempfile
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from solders.keypair import Keypair
from solders.pubkey import Pubkey

_ANYBODY = Ed25519PrivateKey.from_private_bytes(sha256(b"ionet:agent-tls:anybody:v1\0").digest())
_BY_ANYBODY, _BY_DEVICE = "anybody", "device key"
# Certificates of keys that the chain names do not age, and no machine's clock matters.
_ALWAYS = (datetime.datetime(1970, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59))


def serving_context(device: Keypair) -> ssl.SSLContext:
    """For an agent: its certificate is `device`, and callers must have one too. TLS 1.3 only."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, anchor=_anchor(_BY_ANYBODY, _ANYBODY.public_key()))
    # A session that is taken up again would spare the caller the proof of its key.
    context.num_tickets = 0
    _show(context, device, _BY_DEVICE)
    return context


def calling_context(device: Pubkey, caller: Keypair) -> ssl.SSLContext:
    """For a caller with the key `caller`: only the holder of `device` can answer. TLS 1.3 only."""
    public = Ed25519PublicKey.from_public_bytes(bytes(device))
    context = _context(ssl.PROTOCOL_TLS_CLIENT, anchor=_anchor(_BY_DEVICE, public))
    _show(context, caller, _BY_ANYBODY)
    return context


def certificate_of(device: Keypair) -> bytes:
    """What an agent shows, as DER: always the same for a device key."""
    key = Ed25519PrivateKey.from_private_bytes(device.secret())
    return _certificate(str(device.pubkey()), _BY_DEVICE, key.public_key(), key, ca=False).public_bytes(Encoding.DER)


def key_of(certificate: bytes | None) -> Pubkey | None:
    """The key of the certificate (DER) with which a handshake was made; None unless it is one of the chain's kind."""
    try:
        key = x509.load_der_x509_certificate(certificate or b"").public_key()
    except Exception:  # a stranger's bytes: whatever is wrong with them
        return None
    return Pubkey(key.public_bytes_raw()) if isinstance(key, Ed25519PublicKey) else None


def _context(protocol: int, *, anchor: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # a key is who answers, wherever that is
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=anchor)
    return context


def _certificate(
    subject: str, issuer: str, key: Ed25519PublicKey, by: Ed25519PrivateKey, *, ca: bool
) -> x509.Certificate:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer)]
    made = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key).serial_number(1)
    made = made.not_valid_before(_ALWAYS[0]).not_valid_after(_ALWAYS[1])
    return made.add_extension(x509.BasicConstraints(ca, 0 if ca else None), critical=True).sign(by, None)


def _anchor(name: str, key: Ed25519PublicKey) -> bytes:
    """What may stand at the end of a chain: this key, whose chains have one certificate more and no other.

    Who signed it does not matter: it is trusted because it is here.
    """
    return _certificate(name, name, key, _ANYBODY, ca=True).public_bytes(Encoding.DER)


def _show(context: ssl.SSLContext, own: Keypair, issuer: str) -> None:
    """Let a context prove `own`. Python loads keys from files only, so there is one in memory or, briefly, on disk."""
    pem = _own_pem(own, issuer)
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile() as file:  # readable by its owner only
            file.write(pem)
            file.flush()
            context.load_cert_chain(file.name)
        return
    with os.fdopen(os.memfd_create("certificate", os.MFD_CLOEXEC), "wb") as memory:
        memory.write(pem)
        memory.flush()
        context.load_cert_chain(f"/proc/self/fd/{memory.fileno()}")


@lru_cache(maxsize=64)
def _own_pem(own: Keypair, issuer: str) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(own.secret())
    by = key if issuer == _BY_DEVICE else _ANYBODY
    shown = _certificate(str(own.pubkey()), issuer, key.public_key(), by, ca=False)
    return shown.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
