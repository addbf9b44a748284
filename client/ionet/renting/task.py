"""A task as people write it: YAML with the names that SkyPilot's users know, or the command line's options."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from ionet.errors import InvalidInput
from ionet.wish import DEFAULT_CURRENCY, Wish, model_of, wished

_MOST_BYTES = 256 * 1024
_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?[0-9]+\Z",
    "tag:yaml.org,2002:float": r"[-+]?[0-9]*\.[0-9]+\Z",
}


class _Loader(yaml.SafeLoader):
    """YAML 1.1 counts by sixty: to it `4090:1` is 245,401. What has a colon is text here."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (as its base has it)
        first: [(tag, pattern) for tag, pattern in pairs if tag not in _NUMBERS]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


for _tag, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list("-+0123456789."))


class Resources(msgspec.Struct, forbid_unknown_fields=True):
    """accelerators: `H100` or `H100:8`, of each node. country: ISO letters, several with commas. max_price: dollars per
    processor-hour. min_score: from 0 to 1. isolation: the weakest level that will do. gpu_memory: GB of each GPU.
    max_latency: milliseconds there and back."""

    accelerators: str | int | None = None
    country: str | None = None
    max_price: float | str | None = None
    min_score: float | None = None
    isolation: str | None = None
    currency: str | None = None
    gpu_memory: float | str | None = None
    max_latency: float | None = None


class Task(msgspec.Struct, forbid_unknown_fields=True):
    """workdir: goes to the head's node, and with Ray to the others. setup, run: for a shell, in workdir, on the head's
    node. file_mounts: name below workdir → file or folder here. results: patterns below workdir that are fetched."""

    name: str | None = None
    resources: Resources = msgspec.field(default_factory=Resources)
    num_nodes: int = 1
    workdir: str | None = None
    setup: str | None = None
    run: str | None = None
    envs: dict[str, str | int | float | None] = {}
    file_mounts: dict[str, str] = {}
    results: list[str] = []
    hours: float | str | None = None
    """For how long: a number, or `90m`."""


def read(path: Path) -> Task:
    """Raises InvalidInput, which names the field and one that is spelled like it."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    if len(text) > _MOST_BYTES:
        raise InvalidInput(f"{path} has more than {_MOST_BYTES} bytes")
    try:
        said = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidInput(f"{path} is no YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(said, dict):
        raise InvalidInput(f"{path} is no table of fields")
    _require_known(path, said, Task)
    if isinstance(said.get("resources"), dict):
        _require_known(path, said["resources"], Resources)
    try:
        task = msgspec.convert(said, type=Task)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{path}: {error}") from None
    if task.num_nodes < 1:
        raise InvalidInput(f"{path}: num_nodes is {task.num_nodes}")
    return task


def _require_known(path: Path, said: dict[Any, Any], kind: type[msgspec.Struct]) -> None:
    known = kind.__struct_fields__
    for name in said:
        if name not in known:
            like = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {like[0]}?" if like else f"; known are {', '.join(known)}"
            raise InvalidInput(f"{path}: no field {str(name)[:40]!r}{hint}")


def wish_of(task: Task, models: Mapping[int, str]) -> Wish:
    """What the task asks of nodes. models: names by code. Raises InvalidInput."""
    asked = task.resources
    if asked.accelerators is None:
        raise InvalidInput("which model? name it with --gpu H100:8, or resources: accelerators in the task")
    return wished(
        *model_of(models, str(asked.accelerators)),
        nodes=task.num_nodes,
        hours=1 if task.hours is None else task.hours,
        max_price=asked.max_price,
        country=asked.country,
        min_score=asked.min_score,
        isolation=asked.isolation,
        gpu_memory=asked.gpu_memory,
        max_latency=asked.max_latency,
        currency=asked.currency or DEFAULT_CURRENCY,
    )


def commands_of(task: Task, job: Sequence[str]) -> list[str]:
    """What a shell runs, one after another. job: runs in the place of the task's. Raises InvalidInput."""
    run = task.run
    if job:
        run = shlex.join(["python", *job] if job[0].endswith(".py") else job)
    if run is None:
        raise InvalidInput("no job: write it after --, or as run: in the task")
    return [task.setup, run] if task.setup is not None else [run]


def with_script(task: Task, job: Sequence[str]) -> tuple[Task, Sequence[str]]:
    """A script that the job begins with goes along where no folder does. Raises InvalidInput where it is not here."""
    if task.workdir is not None or not job or not job[0].endswith(".py"):
        return task, job
    path = Path(job[0])
    if not path.is_file():
        if path.is_absolute() or task.file_mounts or task.setup is not None:
            return task, job  # of the node's, or made there
        raise InvalidInput(f"there is no {job[0]} here, and no --workdir with it")
    name = path.name if path.is_absolute() or ".." in path.parts else str(path)
    mounts = {name: str(path), **task.file_mounts}
    return msgspec.structs.replace(task, file_mounts=mounts), [name, *job[1:]]
