"""Upload of an interval's leaves to an indexer: the message, what its signature covers, and a client.

POST /v1/leaves is the only write of the indexer's API. The signer is the node's device key as the chain knows it; the
leaves are taken only if they hash to a root that the chain holds for that lease and interval.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence

import httpx2
import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.errors import IonetError, reason_of

PATH = "/v1/leaves"
MAX_LEAVES = 100_000
MAX_LIFETIME_SECS = 120
NONCE_LEN = 16
LEAF_LEN = 64  # task id and sha256 of the result
MEDIA_TYPE = "application/octet-stream"
_DOMAIN = b"ionet:leaves:v1\0"
# No longer than an upload is good for. Of an answer only the problem counts.
_SEND_SECS, _MAX_ANSWER = 60.0, 64 * 1024


class UploadError(IonetError):
    """the indexer did not take the leaves

    status: of the HTTP answer, 0 when none came. kind: the answer's problem type that a class stands for.
    """

    exit_code = 4
    kind: str = ""

    def __init_subclass__(cls, kind: str = "", **more: object) -> None:
        super().__init_subclass__(**more)
        cls.kind = kind

    def __init__(self, detail: str = "", *, status: int = 0) -> None:
        super().__init__(detail)
        self.status = status


class IndexerUnreachable(UploadError):
    """the indexer does not answer"""


class UploadUnauthorized(UploadError, kind="unauthorized"):
    """the indexer does not accept the upload's signature"""


class UploadTooEarly(UploadError, kind="not-found"):
    """the indexer does not know the lease yet"""


class LeavesRefused(UploadError, kind="refused"):
    """the leaves are not those of a proven root"""


class BadUpload(UploadError, kind="bad-value"):
    """the upload is malformed"""


class UploadLater(UploadError, kind="too-many-requests"):
    """this device uploaded more than the indexer takes at a time"""


_BY_KIND = {kind.kind: kind for kind in UploadError.__subclasses__() if kind.kind}


class Upload(msgspec.Struct, frozen=True):
    """All leaves of one interval. Everything but the leaves is sent before them, in headers: `ionet-lease`,
    `ionet-interval` and so on. The key is base58; root, nonce and signature are hex.
    """

    lease: str
    interval: int
    root: str
    count: int
    """Of the leaves."""
    nonce: str
    """16 random bytes; a nonce is taken once."""
    expires_at: int
    """Unix seconds, at most two minutes ahead."""
    signature: str
    """ed25519 by the node's device key over `signing_message`."""
    leaves: bytes
    """The body: task id and sha256 of the result of leaf 0, 1, …, 64 bytes each."""

    @property
    def headers(self) -> dict[str, str]:
        """What is sent before the leaves."""
        named = {f"ionet-{name.replace('_', '-')}": str(getattr(self, name)) for name in SIGNED}
        return {**named, "content-type": MEDIA_TYPE}


SIGNED = ("lease", "interval", "root", "count", "nonce", "expires_at", "signature")
"""Fields of an upload that travel in headers."""


def signing_message(lease: bytes, interval: int, root: bytes, count: int, nonce: bytes, expires_at: int) -> bytes:
    """The bytes that the device key signs; every part has a fixed length. `root` stands for the leaves themselves."""
    numbers = interval.to_bytes(8, "little") + count.to_bytes(4, "little")
    return _DOMAIN + lease + numbers + root + nonce + expires_at.to_bytes(8, "little")


def sign_upload(
    key: Keypair, lease: Pubkey, interval: int, root: bytes, leaves: Sequence[tuple[bytes, bytes]]
) -> Upload:
    """A signed upload of (task id, result hash) pairs, valid for a minute."""
    nonce, expires_at = secrets.token_bytes(NONCE_LEN), int(time.time()) + MAX_LIFETIME_SECS // 2
    signature = key.sign_message(signing_message(bytes(lease), interval, root, len(leaves), nonce, expires_at))
    return Upload(
        lease=str(lease),
        interval=interval,
        root=root.hex(),
        count=len(leaves),
        nonce=nonce.hex(),
        expires_at=expires_at,
        signature=bytes(signature).hex(),
        leaves=b"".join(task + result for task, result in leaves),
    )


async def send_upload(http: httpx2.AsyncClient, base_url: str, upload: Upload) -> None:
    """Hand an upload to the indexer at `base_url`; sending it again does no harm.

    Raises the UploadError that the answer's problem type names.
    """
    # What is read is what was sent: a compressed answer could be a thousand times its size.
    headers = {**upload.headers, "accept-encoding": "identity"}
    try:
        async with asyncio.timeout(_SEND_SECS):
            request = http.build_request("POST", base_url.rstrip("/") + PATH, content=upload.leaves, headers=headers)
            response = await http.send(request, stream=True)
            try:
                said = await _read(response)
            finally:
                await response.aclose()
    except TimeoutError:
        raise IndexerUnreachable(f"{base_url}: no answer within {_SEND_SECS:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
        raise IndexerUnreachable(f"{base_url}: {reason_of(error)}") from error
    if response.is_error:
        try:
            problem = msgspec.json.decode(said, type=dict[str, object])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            problem = {}
        detail = str(problem.get("detail", f"HTTP {response.status_code}"))
        raise _BY_KIND.get(str(problem.get("type")), UploadError)(detail, status=response.status_code)


async def _read(response: httpx2.Response) -> bytes:
    """What was answered, as far as it counts."""
    said = bytearray()
    async for part in response.aiter_raw():
        said += part
        if len(said) > _MAX_ANSWER:
            break
    return bytes(said)
