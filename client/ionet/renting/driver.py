"""Runs beside the head of a cluster, where nothing of ours is imported: unpacks a job, runs it, packs its results.

What it prints is the job's output. Lines that begin with the mark are its own: the results, as zip in base64.
"""

from __future__ import annotations

import base64
import glob
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

MARK = "\x1eionet:"
LINE = 48 * 1024
MOST = 32 * 1024 * 1024
"""Bytes of results, packed."""


def main(text: str) -> None:
    """The job, as `bundle.script` wrote it."""
    job = json.loads(text)
    home = pathlib.Path(os.environ["HOME"], "job")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(job["files"]))) as packed:
        entries = packed.infolist()
        for entry in entries:
            path = pathlib.Path(packed.extract(entry, home))
            path.chmod(entry.external_attr >> 16 & 0o777 or 0o644)
    environment = {**os.environ, **job["envs"]}
    if len(entries) + len(job["commands"]) > 2:
        # What workers run finds the same files, and what `setup` installs for this user is found by Python. A script
        # alone reaches them by itself, and they need not be started again for it.
        ray_job = {"runtime_env": {"working_dir": str(home)}}
        environment.setdefault("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(ray_job))
    code = 0
    for command in job["commands"]:
        code = subprocess.run(["/bin/sh", "-c", command], cwd=home, env=environment, check=False).returncode
        if code:
            break
    sys.stdout.flush()
    if job["results"]:
        send(home, job["results"])
    sys.exit(code if code >= 0 else 128 - code)


def send(home: pathlib.Path, patterns: list[str]) -> None:
    """Print the files that match."""
    packed, paths = io.BytesIO(), set()
    for pattern in patterns:
        paths |= set(glob.glob(pattern, root_dir=home, recursive=True))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as written:
        for path in sorted(paths):
            if (home / path).is_file():
                written.write(home / path, path)
    if packed.tell() > MOST:
        print(f"the results have {packed.tell()} bytes, more than {MOST}", file=sys.stderr)
        sys.exit(1)
    content = base64.b64encode(packed.getvalue()).decode()
    print()  # the job's last line may have no end
    for at in range(0, len(content), LINE):
        print(MARK + content[at : at + LINE], flush=True)
