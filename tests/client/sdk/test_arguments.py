"""A value of a wrong type is refused by an IonetError that names it, whichever public method it is given to."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from ionet import api, client, program
from ionet.api.base import RoleApi
from ionet.arguments import fits
from ionet.client import Client
from ionet.errors import InvalidInput, IonetError
from ionet.wallet import KeypairSigner, Signer
from solders.keypair import Keypair
from solders.pubkey import Pubkey

assert api
assert client
NOWHERE = "http://127.0.0.1:1"
ROLES = ["network", "node", "nodes", "stake", "iosd", "cluster", "lease", "case", "owed", "oracle", "tokens", "tables"]
# Of every method one parameter at a time is wrong; the others are right, so that it is what is refused.
RIGHT: dict[str, Any] = {"Pubkey": Pubkey.default(), "int": 1, "str": "IOSD", "bytes": bytes(32), "bool": True}
WRONG: tuple[object, ...] = (
    *("", "x", "5", b"", b"x", 1.5, float("nan"), None),
    *([], [1], ["x"], object(), -1, 2**64, 2**200, True),
)


def methods(target: object) -> Iterator[tuple[str, Any]]:
    for name in dir(type(target)):
        if not name.startswith("_") and inspect.isfunction(getattr(type(target), name)):
            yield name, getattr(target, name)


def right_for(parameter: inspect.Parameter) -> Any:
    first = str(parameter.annotation).partition(" |")[0]
    if first.startswith(("Sequence", "list")):
        return []
    if "Signer" in first:
        return KeypairSigner(Keypair())
    return RIGHT.get(first, object())


CALLS = [
    (role, name, parameter.name)
    for role in [*ROLES, ""]
    for name, method in methods(getattr(Client(NOWHERE), role) if role else Client(NOWHERE))
    for parameter in inspect.signature(method).parameters.values()
]


def test_there_are_many_such_methods() -> None:
    assert len(CALLS) > 150
    assert {type(getattr(Client(NOWHERE), role)) for role in ROLES} == set(RoleApi.__subclasses__())


async def used(outcome: Any) -> None:
    """Awaits what a method returned, and takes what it yields."""
    if inspect.isasyncgen(outcome):
        async for _ in outcome:
            break
    elif inspect.isawaitable(outcome):
        await outcome


@pytest.mark.parametrize("role", [*ROLES, ""])
async def test_every_exception_is_ours(role: str) -> None:
    """Nobody is at this address: what is not refused as it is fails as unreachable, which is ours too."""
    async with Client(NOWHERE, Keypair()) as anyone:
        target = getattr(anyone, role) if role else anyone
        for name, parameter in [call[1:] for call in CALLS if call[0] == role]:
            for wrong in WRONG:
                positional, named = arguments(getattr(target, name), parameter, wrong)
                try:
                    await used(getattr(target, name)(*positional, **named))
                except IonetError:
                    continue
                except Exception as error:
                    raise AssertionError(f"{role}.{name}({parameter}={wrong!r}): {error!r}") from error


def arguments(method: Any, parameter: str, wrong: object) -> tuple[list[Any], dict[str, Any]]:
    """What to call a method with: one parameter is wrong, the others are right as far as they are needed."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for each in inspect.signature(method).parameters.values():
        chosen = each.name == parameter
        value = wrong if chosen else right_for(each)
        if each.kind is each.VAR_KEYWORD:
            named |= {"owner": value} if chosen else {}
        elif each.kind is each.VAR_POSITIONAL:
            positional += [value] if chosen else []
        elif each.kind is each.KEYWORD_ONLY or (each.default is not each.empty and chosen):
            named[each.name] = value
        elif each.default is each.empty:
            positional.append(value)
    return positional, named


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: c.node.get("abc"), "node of get is a Pubkey (an address), not 'abc'"),
        (lambda c: c.cluster.open("5"), "deposit of open is a whole number, not '5'"),
        (lambda c: c.cluster.open(1.5), "deposit of open is a whole number, not 1.5"),
        (lambda c: c.cluster.open(True), "deposit of open is a whole number, not True"),
        (
            lambda c: c.cluster.add_lease(Pubkey.default(), "x", duration=1),
            "nodes of add_lease is a Pubkey (an address), not 'x'",
        ),
        (
            lambda c: c.cluster.tables_for(Pubkey.default(), "abc"),
            "nodes of tables_for is a sequence of a Pubkey (an address), not 'abc'",
        ),
        (lambda c: c.stake.all(node="x"), "fields of all is a Pubkey (an address), not 'x'"),
    ],
)
async def test_the_argument_is_named(call: Any, said: str) -> None:
    async with Client(NOWHERE, Keypair()) as anyone:
        with pytest.raises(InvalidInput) as refused:
            await call(anyone)
    assert refused.value.detail == said


def test_a_client_of_something_else_is_refused() -> None:
    for nonsense in (5, None, "ftp://x", "localhost:8899", "http://", b"http://x"):
        with pytest.raises(InvalidInput):
            Client(nonsense)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        Client(NOWHERE, "id.json")  # type: ignore[arg-type]


def test_what_fits() -> None:
    assert fits(KeypairSigner(Keypair()), Signer)
    assert not fits("x", Signer)
    assert fits(program.PROGRAM, program.Program)
    assert fits([1], list[int])
    assert not fits(["1"], list[int])
