"""One class for each refusal of the program."""

from __future__ import annotations

from ionet.idl.model import Idl
from lib.pygen.text import head, identifier


def errors_module(idl: Idl) -> str:
    text = head("Every refusal of the program, one class each.", "from ionet.errors import ProgramError")
    for error in idl.errors:
        text += f'class {identifier(error.name)}(ProgramError, code={error.code}):\n    """{error.msg}"""\n\n\n'
    return text + "BY_CODE = {kind.code: kind for kind in ProgramError.__subclasses__()}\n"
