"""Runs beside the head of a cluster, where nothing of ours is imported: starts jobs and follows them.

A job is a process of the member's, not of who follows it: it goes on when nobody does. What it prints is its log. Lines
of it that begin with the mark are not its own: the results, as zip in base64.

    $HOME/jobs/NAME/work  the job's files, where it runs
    $HOME/jobs/NAME/log   what it prints
    $HOME/jobs/NAME/code  its exit code, once it has one
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import glob
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from typing import IO, Any

MARK = "\x1eionet:"
LINE = 48 * 1024
MOST = 32 * 1024 * 1024
"""Bytes of results, packed."""
LOST = 255
"""The exit code of a job that was killed before it had one, or is not there."""
PIECE, LOOK_SECS, BEGIN_SECS = 64 * 1024, 0.05, 10.0
# The agent ends what carries its driver's tag when it starts again; a job is the member's, and stays.
TAG, DRIVER = "IONET_PROCESS_TAG", "-driver"


def main(text: str) -> None:
    """What `bundle` asks for."""
    wanted = json.loads(text)
    jobs = pathlib.Path(os.environ["HOME"], "jobs")
    jobs.mkdir(exist_ok=True)
    what = wanted["do"]
    if what == "supervise":
        supervise(jobs / wanted["job"])
    elif what == "execute":
        sys.exit(execute(jobs, wanted["commands"]))
    elif what == "follow":
        sys.exit(follow(jobs / (wanted["job"] or newest(jobs)), wanted["offset"], wanted["wait"]))
    else:
        start(jobs / wanted["job"], wanted)
        sys.exit(follow(jobs / wanted["job"], 0, True) if wanted["wait"] else 0)


def newest(jobs: pathlib.Path) -> str:
    """Names begin with the time."""
    return max((path.name for path in jobs.iterdir() if not path.name.startswith(".")), default="none")


def start(folder: pathlib.Path, job: dict[str, Any]) -> None:
    """Unpack a job and begin it, once: it may be asked for again."""
    if folder.exists():
        return
    draft = pathlib.Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    home = draft / "work"
    home.mkdir()
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(job.pop("files")))) as packed:
        entries = packed.infolist()
        for entry in entries:
            path = pathlib.Path(packed.extract(entry, home))
            path.chmod(entry.external_attr >> 16 & 0o777 or 0o644)
    source = job.pop("source")
    job["alone"] = len(entries) + len(job["commands"]) <= 2
    (draft / "job.json").write_text(json.dumps(job))
    try:
        draft.rename(folder)
    except OSError:  # another connection was quicker
        shutil.rmtree(draft)
        return
    again = json.dumps({"do": "supervise", "job": folder.name})
    subprocess.Popen(
        [sys.executable, "-c", f"{source}\n\nmain({again!r})"],
        env={**os.environ, TAG: os.environ.get(TAG, "").removesuffix(DRIVER)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def supervise(folder: pathlib.Path) -> None:
    """Run a job to its end, and note how it ended."""
    job = json.loads((folder / "job.json").read_text())
    (folder / "pid").write_text(str(os.getpid()))
    home, code = folder / "work", 0
    environment = {**os.environ, **job["envs"]}
    if not job["alone"]:
        # What workers run finds the same files, and what `setup` installs for this user is found by Python. A script
        # alone reaches them by itself, and they need not be started again for it.
        ray_job = {"runtime_env": {"working_dir": str(home)}}
        environment.setdefault("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(ray_job))
    with (folder / "log").open("w") as log:
        try:
            for command in job["commands"]:
                code = run(command, home, environment, log)
                if code:
                    break
            if job["results"]:
                code = send(home, job["results"], log) or code
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=log, flush=True)
            code = code or 1
    note(folder, code)


def run(command: str, home: pathlib.Path, environment: dict[str, str], output: IO[str] | None) -> int:
    """The exit code, as a shell says it."""
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def note(folder: pathlib.Path, code: int) -> None:
    """Whole or not at all."""
    draft = folder / "code.new"
    draft.write_text(str(code))
    draft.replace(folder / "code")


def execute(jobs: pathlib.Path, commands: list[str]) -> int:
    """Commands beside the newest job's files, which end with who follows them."""
    home = jobs / newest(jobs) / "work"
    code = 0
    for command in commands:
        code = run(command, home if home.is_dir() else jobs.parent, dict(os.environ), None)
        if code:
            break
    return code


def follow(folder: pathlib.Path, offset: int, wait: bool) -> int:
    """Print the log from `offset` bytes on, as they were printed, with `wait` to the job's end; the job's exit code.

    What is no UTF-8 is replaced before it is counted: so both sides count the same.
    """
    until = time.monotonic() + BEGIN_SECS
    while not (folder / "log").exists():
        if time.monotonic() > until or not folder.exists():
            print(f"no job {folder.name}")
            return LOST
        time.sleep(LOOK_SECS)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with (folder / "log").open("rb") as log:
        while True:
            code = ended(folder)  # asked first: what was written before the end is read after it
            while piece := log.read(PIECE):
                offset = show(decoder.decode(piece), offset)
            if code is not None or not wait:
                show(decoder.decode(b"", True), offset)
                return code or 0
            time.sleep(LOOK_SECS)


def show(text: str, offset: int) -> int:
    """Print what is left of it behind `offset`, and how much of that is left."""
    content = text.encode()
    sys.stdout.buffer.write(content[offset:])
    sys.stdout.buffer.flush()
    return max(offset - len(content), 0)


def ended(folder: pathlib.Path) -> int | None:
    """A job's exit code, None while it runs."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # of who began it, it is a child
    for _ in range(2):
        try:
            return int((folder / "code").read_text())
        except FileNotFoundError:
            pass
        try:
            os.kill(int((folder / "pid").read_text() or 0), 0)
            return None
        except PermissionError:
            return None  # a process of the lease that this one may not signal
        except ProcessLookupError:
            continue  # it may have noted its code between the two looks
    return LOST


def send(home: pathlib.Path, patterns: list[str], log: IO[str]) -> int:
    """Write the files that match into the log; 1 where they are too large."""
    packed, paths = io.BytesIO(), set()
    for pattern in patterns:
        paths |= set(glob.glob(pattern, root_dir=home, recursive=True))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as written:
        for path in sorted(paths):
            if (home / path).is_file():
                written.write(home / path, path)
    if packed.tell() > MOST:
        print(f"the results have {packed.tell()} bytes, more than {MOST}", file=log)
        return 1
    content = base64.b64encode(packed.getvalue()).decode()
    print(file=log)  # the job's last line may have no end
    for at in range(0, len(content), LINE):
        print(MARK + content[at : at + LINE], file=log)
    return 0
