"""Exceptions of the client. The first line of a class's docstring is its message; `exit_code` is the CLI's.

The program's own refusals are in `ionet.generated.errors`, one class each, generated from the IDL.
"""

from __future__ import annotations

from collections.abc import Sequence


class IonetError(Exception):
    """something the ionet client refuses"""

    exit_code = 1

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(detail)

    @classmethod
    def message(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    def __str__(self) -> str:
        return f"{self.message()}: {self.detail}" if self.detail else self.message()


def reason_of(error: BaseException) -> str:
    """What it says, or what it is called: a timeout says nothing."""
    return str(error) or type(error).__name__


class InvalidInput(IonetError):
    """invalid input"""


class NotFound(IonetError):
    """no such account on this chain"""


class NotConfirmed(IonetError):
    """not confirmed, so nothing was sent"""


class Closed(NotFound):
    """this account was closed"""

    def __str__(self) -> str:
        return self.detail


class NoHead(NotFound):
    """the cluster has no running head"""


class NotRecorded(IonetError):
    """the transaction recorded no such event"""


class WalletError(IonetError):
    """the wallet cannot be used"""


class ChainRefused(IonetError):
    """the chain refused the transaction"""

    exit_code = 3

    def __init__(self, detail: str = "", *, logs: Sequence[str] = (), signature: str | None = None) -> None:
        super().__init__(detail)
        self.logs = tuple(logs)
        self.signature = signature


class InstructionFailed(ChainRefused):
    """an instruction failed

    index: position of the instruction in the transaction. program: address of the program that failed, when known.
    """

    def __init__(
        self,
        detail: str = "",
        *,
        index: int = 0,
        program: str | None = None,
        logs: Sequence[str] = (),
        signature: str | None = None,
    ) -> None:
        super().__init__(detail, logs=logs, signature=signature)
        self.index = index
        self.program = program


class ProgramError(InstructionFailed):
    """the ionet program refused the instruction"""

    code: int = -1

    def __init_subclass__(cls, code: int = -1, **more: object) -> None:
        super().__init_subclass__(**more)
        cls.code = code

    def __str__(self) -> str:
        if self.code < 0:
            return super().__str__()
        said = f"{self.message()} ({type(self).__name__}, {self.code})"
        return f"{said}: {self.detail}" if self.detail else said


class ForeignProgramError(InstructionFailed):
    """another program refused the instruction"""

    code: int = -1


class NotEnough(ForeignProgramError):
    """a wallet has not enough of a token, or no SOL"""

    def __str__(self) -> str:
        return self.detail


class AlreadyRegistered(ForeignProgramError):
    """the device is registered already"""

    def __str__(self) -> str:
        return self.detail


class NoSuchModel(InstructionFailed):
    """the chain has no such device model"""

    def __str__(self) -> str:
        return self.detail


class NoStake(InstructionFailed):
    """the wallet has no stake in the node"""

    def __str__(self) -> str:
        return self.detail


class TransactionExpired(IonetError):
    """the transaction did not land before its blockhash expired; it never will"""

    exit_code = 5


class RpcError(IonetError):
    """the RPC node answered with an error"""

    exit_code = 4

    def __init__(self, detail: str = "", *, code: int | None = None) -> None:
        super().__init__(detail)
        self.code = code


class RpcUnreachable(RpcError):
    """the RPC node cannot be reached"""


class ConfigError(IonetError):
    """the settings cannot be used"""


class AlreadyRunning(IonetError):
    """another process works here already"""
