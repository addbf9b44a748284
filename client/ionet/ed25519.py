"""The chain's own check of an ed25519 signature, as an instruction that another program can look back at."""

from __future__ import annotations

import struct

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet.errors import InvalidInput

PROGRAM = Pubkey.from_string("Ed25519SigVerify111111111111111111111111111")
_SIGNATURE_LEN, _KEY_LEN = 64, 32
# In the offsets: the data is in this very instruction.
_SAME = 0xFFFF
# Count, padding; then offset and instruction of signature and key, offset, length and instruction of the message.
_HEADER = struct.Struct("<BB7H")


def verify_instruction(key: Pubkey, message: bytes, signature: bytes) -> Instruction:
    """Fails the transaction unless `signature` (64 bytes) is the key's over `message`; all three are in its data.

    Raises InvalidInput for a signature of another length.
    """
    if len(signature) != _SIGNATURE_LEN:
        raise InvalidInput(f"a signature is {_SIGNATURE_LEN} bytes, not {len(signature)}")
    at_key = _HEADER.size
    at_signature = at_key + _KEY_LEN
    at_message = at_signature + _SIGNATURE_LEN
    header = _HEADER.pack(1, 0, at_signature, _SAME, at_key, _SAME, at_message, len(message), _SAME)
    return Instruction(PROGRAM, header + bytes(key) + signature + message, [])
