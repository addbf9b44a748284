"""Own codec, compiled from the IDL: anchorpy cannot be installed beside the current solana package."""

from __future__ import annotations

from ionet.codec.layout import CodecError, DecodeError, EncodeError, UnknownEvent
from ionet.codec.program import EVENT_TAG, Call, ProgramCodec

__all__ = ["EVENT_TAG", "Call", "CodecError", "DecodeError", "EncodeError", "ProgramCodec", "UnknownEvent"]
