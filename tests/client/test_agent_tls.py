"""Handshakes between agents and callers: by keys alone, whatever certificates say."""

from __future__ import annotations

import asyncio
import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from ionet import agent_tls
from ionet.agent_tls import calling_context, key_of, serving_context
from leases import DEVICE, SESSION
from solders.keypair import Keypair
from solders.pubkey import Pubkey

OTHER = Keypair.from_seed(bytes([9] * 32))
ANYBODY = agent_tls._ANYBODY


async def shake(serving: ssl.SSLContext, calling: ssl.SSLContext) -> tuple[bytes | None, str]:
    """The certificate that the agent is shown, and the version. Raises OSError."""
    seen: asyncio.Future[tuple[bytes | None, str]] = asyncio.get_running_loop().create_future()

    async def served(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = writer.get_extra_info("ssl_object")
        seen.set_result((shown.getpeercert(binary_form=True), shown.version()))
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=serving)
    async with server, asyncio.timeout(10):
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=calling, server_hostname="agent")
        try:
            await reader.read()  # a refusal by the agent comes after the caller's part
            if not seen.done():
                raise ConnectionResetError("refused by the agent")
            return seen.result()
        finally:
            writer.transport.abort()


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def shows(context: ssl.SSLContext, certificates: list[x509.Certificate], key: bytes, folder: object) -> ssl.SSLContext:
    path = f"{folder}/chain.pem"
    with open(path, "wb") as file:
        file.write(b"".join(one.public_bytes(Encoding.PEM) for one in certificates) + key)
    context.load_cert_chain(path)
    return context


def pem(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def private(key: Keypair) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(key.secret())


async def test_both_prove_their_keys() -> None:
    shown, version = await shake(serving_context(DEVICE), calling_context(DEVICE.pubkey(), SESSION))
    assert (key_of(shown), version) == (SESSION.pubkey(), "TLSv1.3")


async def test_another_device_key_fails_in_the_handshake() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(serving_context(OTHER), calling_context(DEVICE.pubkey(), SESSION))


@pytest.mark.parametrize("issuer", ["device key", str(DEVICE.pubkey()), "anybody"])
async def test_a_certificate_that_names_the_device_but_is_not_signed_by_it_is_refused(
    tmp_path: object, issuer: str
) -> None:
    """Nor does the device's own certificate help who does not have its key."""
    key = private(OTHER)
    for public in (key.public_key(), private(DEVICE).public_key()):
        made = agent_tls._certificate(str(DEVICE.pubkey()), issuer, public, key, ca=False)
        serving = serving_context(OTHER)
        try:
            shows(serving, [made], pem(key), tmp_path)
        except ssl.SSLError:
            continue  # the key is not the certificate's
        with pytest.raises(ssl.SSLCertVerificationError):
            await shake(serving, calling_context(DEVICE.pubkey(), SESSION))


async def test_the_device_key_itself_answers_and_not_whom_a_caller_vouches_for(tmp_path: object) -> None:
    """A certificate by everybody's key is good for callers only."""
    made = agent_tls._certificate("x", "anybody", private(OTHER).public_key(), ANYBODY, ca=False)
    serving = shows(serving_context(OTHER), [made], pem(private(OTHER)), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(serving, calling_context(DEVICE.pubkey(), SESSION))


async def test_a_chain_of_callers_is_refused(tmp_path: object) -> None:
    """Everybody can sign for everybody; a long chain would only cost the agent time."""
    middle, end = private(OTHER), private(SESSION)
    signer = agent_tls._certificate("middle", "anybody", middle.public_key(), ANYBODY, ca=True)
    leaf = agent_tls._certificate("end", "middle", end.public_key(), middle, ca=False)
    calling = shows(calling_context(DEVICE.pubkey(), SESSION), [leaf, signer], pem(end), tmp_path)
    with pytest.raises(OSError, match=r"refused by the agent|(?i:alert)"):
        await shake(serving_context(DEVICE), calling)


async def test_a_key_of_another_kind_is_nobodys(tmp_path: object) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    when = datetime.datetime(2000, 1, 1), datetime.datetime(9999, 1, 1)
    made = x509.CertificateBuilder().subject_name(named("x")).issuer_name(named("anybody")).serial_number(1)
    made = made.public_key(curve.public_key()).not_valid_before(when[0]).not_valid_after(when[1])
    calling = calling_context(DEVICE.pubkey(), SESSION)
    shown, _ = await shake(serving_context(DEVICE), shows(calling, [made.sign(ANYBODY, None)], pem(curve), tmp_path))
    assert shown is not None
    assert key_of(shown) is None
    assert key_of(None) is key_of(b"nonsense") is None


async def test_no_session_is_taken_up_again() -> None:
    """A caller proves its key each time."""
    assert serving_context(DEVICE).num_tickets == 0
    assert isinstance(
        key_of((await shake(serving_context(DEVICE), calling_context(DEVICE.pubkey(), OTHER)))[0]), Pubkey
    )
