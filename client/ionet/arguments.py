"""Arguments of public methods are of the types that their annotations say, or InvalidInput is raised. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from types import NoneType, UnionType
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from ionet.errors import InvalidInput

C = TypeVar("C")
_WORDS = {"int": "a whole number", "str": "a text", "bool": "true or false", "Pubkey": "a Pubkey (an address)"}


def check_arguments(kind: type[C]) -> type[C]:
    """Let the public methods of a class check what they are given."""
    for name, member in list(vars(kind).items()):
        if inspect.isfunction(member) and (name == "__init__" or not name.startswith("_")):
            setattr(kind, name, _checked(member))
    return kind


def _checked(method: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(method)

    @cache
    def hints() -> Mapping[str, Any]:
        return get_type_hints(method)

    @wraps(method)
    def call(*args: Any, **named: Any) -> Any:
        known = hints()
        for name, value in signature.bind(*args, **named).arguments.items():
            if name not in known:
                continue
            kind = signature.parameters[name].kind
            values = value.values() if kind is kind.VAR_KEYWORD else value if kind is kind.VAR_POSITIONAL else [value]
            for one in values:
                if not fits(one, known[name]):
                    raise InvalidInput(f"{name} of {method.__name__} is {_said(known[name])}, not {one!r}")
        try:
            return method(*args, **named)
        except OverflowError as error:
            raise InvalidInput(f"{method.__name__}: {error}") from None

    @wraps(method)
    async def wait(*args: Any, **named: Any) -> Any:
        try:
            return await call(*args, **named)
        except OverflowError as error:
            raise InvalidInput(f"{method.__name__}: {error}") from None

    return wait if inspect.iscoroutinefunction(method) else call


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of an annotated type; what cannot be told at run time fits."""
    if isinstance(hint, NewType):
        return fits(value, hint.__supertype__)
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if hint in (None, NoneType):
        return value is None
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin is type:
        return isinstance(value, type)
    if origin is not None and inspect.isclass(origin):
        return _fits_many(value, origin, inner)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, (int, float))
    if not inspect.isclass(hint) or (getattr(hint, "_is_protocol", False) and not _is_runtime(hint)):
        return True
    return isinstance(value, hint)


def _fits_many(value: object, origin: type, inner: tuple[Any, ...]) -> bool:
    if not inner or origin.__name__ == "Callable":
        return isinstance(value, origin)
    if not isinstance(value, origin) or isinstance(value, (str, bytes)):
        return False
    if isinstance(value, Sequence):
        return all(fits(item, inner[0]) for item in value)
    return True


def _is_runtime(protocol: type) -> bool:
    return bool(getattr(protocol, "_is_runtime_protocol", False))


def _said(hint: Any) -> str:
    inner = [one for one in get_args(hint) if one is not NoneType]
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_said(one) for one in inner)
    name = getattr(hint, "__name__", str(hint))
    return f"a {name.lower()} of {_said(inner[0])}" if inner else _WORDS.get(name, name)
