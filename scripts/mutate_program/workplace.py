"""A private copy of the sources: a mutant is built and tested there, the working tree is never touched."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mutate_program.sites import SOURCES, Mutant, joined

# What a build or a test of the program reads; as `copy_to` of scripts/build-program.
PARTS = (
    *("Cargo.toml", "Cargo.lock", "pyproject.toml", "programs", "scripts", "client", "localnet", "indexer"),
    *("launcher", "agent", "stack", "tests", "docs"),
)
PACKAGES = ("client", "localnet", "indexer", "launcher", "agent", "stack", "tests", "scripts")
SUITE = Path("tests/program")
# It compares the bytes of the program with the committed ones, so every mutant would fail it.
LEFT_OUT = ("test_artifacts.py",)
SHIPPED = Path("client/ionet/artifacts/ionet.so")


class CannotBuild(Exception):
    """A source does not compile. The message is the compiler's."""


class NoSuchTest(Exception):
    """A test that was named is not there."""


class OutOfTime(Exception):
    """The time for one mutant is over."""


@dataclass(frozen=True)
class Verdict:
    """What a run of tests said: those that failed, in order; seconds by file of tests."""

    failed: tuple[str, ...]
    seconds: Mapping[str, float]


class Deadline:
    """What is left of a number of seconds."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return self._ends - time.monotonic()


class Workplace:
    """`folder/tree` is the copy, `folder/out` what is built from it."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.tree, self.out = root, folder / "tree", folder / "out"
        self._lock = folder / "lock"

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Holds the folder, and begins with a fresh copy."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SystemExit(f"error: {self._lock.parent} is in use; name another folder with --work") from None
            shutil.rmtree(self.tree, ignore_errors=True)
            ignored = shutil.ignore_patterns("__pycache__", "target", "node_modules")
            for part in PARTS:
                source, copy = self.root / part, self.tree / part
                copy.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, copy, ignore=ignored)
                else:
                    shutil.copy2(source, copy)
            yield

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """The copy with the mutant in it."""
        path = self.tree / SOURCES / mutant.file
        source = path.read_bytes()
        path.write_bytes(mutant.apply(source))
        try:
            yield
        finally:
            path.write_bytes(source)

    def build(self, deadline: Deadline) -> bytes:
        """The program's bytes, from the sources as they are in the copy; by the command that builds the committed one.

        Raises CannotBuild, OutOfTime.
        """
        command = ["scripts/build-program", "trial", "ionet", str(self.out)]
        code, said = self._run(command, deadline, {})
        if code != 0:
            errors = re.findall(r"^error.*", said, re.MULTILINE) or said.splitlines()[-1:]
            raise CannotBuild(joined(errors[0]) if errors else "the build failed without a word")
        return (self.out / "ionet.so").read_bytes()

    def test(
        self, elf: bytes, tests: Sequence[str], deadline: Deadline, *, without: Sequence[str] = (), all: bool = False
    ) -> Verdict:
        """Runs tests, but for those in `without`, against a program until the first that fails or (`all`) to the end.

        Raises NoSuchTest, OutOfTime.
        """
        (self.tree / SHIPPED).write_bytes(elf)
        report = self.out / "failures.json"
        report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider"]
        command += ["-p", "mutate_program.failures", *([] if all else ["-x"]), *tests]
        command += [f"--deselect={test}" for test in without]
        paths = os.pathsep.join(str(self.tree / package) for package in PACKAGES)
        code, said = self._run(command, deadline, {"PYTHONPATH": paths, "IONET_FAILURES": str(report)})
        if code == pytest.ExitCode.USAGE_ERROR:
            raise NoSuchTest(said[-500:])
        if code not in (0, 1, 2) or not report.exists():
            raise SystemExit(f"error: pytest ended with {code}\n{said[-2_000:]}")
        found = json.loads(report.read_text())
        failed = found["failed"] or ([] if code == 0 else ["an error outside of any test"])
        return Verdict(tuple(failed), found["seconds"])

    def host_tests(self, deadline: Deadline) -> str | None:
        """Runs the program's own unit tests; the first that failed, or None. Raises OutOfTime."""
        command = ["cargo", "test", "--locked", "--quiet", "--package", "ionet", "--lib"]
        code, said = self._run(command, deadline, {})
        if code == 0:
            return None
        failed = re.findall(r"^    (\S+::\S+)$", said, re.MULTILINE)
        if not failed:
            raise CannotBuild(next(iter(re.findall(r"^error.*", said, re.MULTILINE)), "the unit tests did not run"))
        return f"cargo test {failed[0]}"

    def files(self) -> list[Path]:
        """The suite's files of tests, in the copy."""
        return [path for path in sorted((self.tree / SUITE).rglob("test_*.py")) if path.name not in LEFT_OUT]

    def _run(self, command: Sequence[str], deadline: Deadline, more: Mapping[str, str]) -> tuple[int, str]:
        """Exit code and output. The whole process group ends with the time."""
        with subprocess.Popen(
            command,
            cwd=self.tree,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=max(deadline.left, 0.1))
            except BaseException as error:
                os.killpg(process.pid, 9)
                process.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise OutOfTime(f"{command[0]} did not end in time") from None
                raise
        return process.returncode, said


def digest(root: Path, *parts: Path) -> str:
    """Hex digest of the Rust and Python sources below some folders of the repository."""
    found = hashlib.sha256()
    for path in sorted(path for part in parts for path in (root / part).rglob("*")):
        if path.suffix in (".rs", ".py"):
            found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]
