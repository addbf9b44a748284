"""Token, CA and certificates of one cluster, all derived from the cluster's session key.

Derived, not stored: a launcher that starts again, or another one with the same key, reaches the same cluster with
nothing to hand over. The CA key and the token never change for a cluster; certificates may be issued any number of
times. ECDSA P-256, because Ray's TLS (BoringSSL) takes no Ed25519 certificates.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CURVE = ec.SECP256R1()
_ORDER = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
_LIFETIME = timedelta(days=60)
_CLOCK_SKEW = timedelta(hours=1)


class ClusterSecrets:
    """Secrets of the cluster at `cluster` (32 bytes) under the 32-byte seed of its session key."""

    def __init__(self, session_seed: bytes, cluster: bytes) -> None:
        self._seed, self._cluster = session_seed, cluster
        self.token = self._derive(b"token", 32).hex()
        # 48 bytes reduced into the group order: the bias is below 2**-128.
        scalar = int.from_bytes(self._derive(b"ca", 48), "big") % (_ORDER - 1) + 1
        self._ca_key = ec.derive_private_key(scalar, _CURVE)
        self._ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ionet cluster {cluster.hex()[:16]}")])

    def _derive(self, purpose: bytes, length: int) -> bytes:
        info = b"ionet:cluster:" + purpose
        return HKDF(algorithm=hashes.SHA256(), length=length, salt=self._cluster, info=info).derive(self._seed)

    def ca_pem(self) -> str:
        """The CA certificate every member trusts."""
        builder = self._builder(self._ca_name, self._ca_key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(ca=True), critical=True)
        return _pem(builder.sign(self._ca_key, hashes.SHA256()))

    def issue(self, name: str, ip: str) -> tuple[str, str]:
        """A new certificate for the member `name` at `ip`, as server and client. Returns (certificate PEM, key PEM)."""
        key = ec.generate_private_key(_CURVE)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        # Loopback: where tunnels end, and where the server of Ray's client has a process of its own for each client.
        own = dict.fromkeys((ipaddress.ip_address(ip), ipaddress.ip_address("127.0.0.1")))
        addresses = [*map(x509.IPAddress, own), x509.DNSName("localhost")]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            self._builder(subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        )
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        key_pem = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
        return _pem(builder.sign(self._ca_key, hashes.SHA256())), key_pem

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        ca_id = x509.SubjectKeyIdentifier.from_public_key(self._ca_key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._ca_name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False)
        )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
