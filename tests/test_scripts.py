"""What the scripts share: finding uv (against a package index on the loopback interface), and counting failed steps."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = b"#!/bin/sh\necho uv 9.9.9\n"
VERSION = "9.9.9"
# One wheel per platform that the tests may run on.
PLATFORMS = ("manylinux_2_17_x86_64", "musllinux_1_1_x86_64", "manylinux_2_17_aarch64", "macosx_11_0_arm64")


def load_find_uv() -> ModuleType:
    spec = importlib.util.spec_from_file_location("find_uv", ROOT / "scripts/lib/find_uv.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["find_uv"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


find_uv = load_find_uv()


def build_wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"uv-{VERSION}.data/scripts/uv", PROGRAM)
    return buffer.getvalue()


WHEEL = build_wheel()
NAMES = [f"uv-{VERSION}-py3-none-{platform}.whl" for platform in PLATFORMS]


class Index(ThreadingHTTPServer):
    """A package index with one project, `uv`, under a path that only it has."""

    as_json = False
    names = NAMES
    password: str | None = None

    @property
    def url(self) -> str:
        secret = f"{self.password}@" if self.password else ""
        return f"http://{secret}127.0.0.1:{self.server_address[1]}/mirror/simple"


class Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        expected = self.server.password and "Basic " + base64.b64encode(self.server.password.encode()).decode()
        if expected and self.headers["Authorization"] != expected:
            self.send_error(401)
        elif self.path == "/mirror/simple/uv/" and self.server.as_json:
            files = [{"filename": name, "url": f"../../files/{name}"} for name in self.server.names]
            self.reply("application/vnd.pypi.simple.v1+json", json.dumps({"files": files}).encode())
        elif self.path == "/mirror/simple/uv/":
            links = "".join(f'<a href="../../files/{name}#sha256=0&amp;x=1">{name}</a>\n' for name in self.server.names)
            self.reply("text/html", links.encode())
        elif self.path.removeprefix("/mirror/files/") in self.server.names:
            self.reply("application/octet-stream", WHEEL)
        else:
            self.send_error(404)

    def reply(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the tests look at what comes back."""


@pytest.fixture
def index() -> Iterator[Index]:
    with Index(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def pin(digest: str) -> object:
    return find_uv.Pin(VERSION, "http://127.0.0.1:1/never-asked", dict.fromkeys(NAMES, digest))


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "html"])
@pytest.mark.parametrize("password", [None, "name:pass%word"], ids=["open", "with a password"])
def test_the_wheel_comes_from_the_named_index(index: Index, as_json: bool, password: str | None) -> None:
    index.as_json, index.password = as_json, password
    url = index.url.replace("%", "%25") if password else index.url
    settings = find_uv.Settings(url, None)
    assert find_uv.unpack_wheel(pin(hashlib.sha256(WHEEL).hexdigest()), settings) == PROGRAM


def test_a_wheel_with_another_hash_is_refused(index: Index) -> None:
    with pytest.raises(find_uv.BootstrapError, match="not the pinned"):
        find_uv.unpack_wheel(pin("00" * 32), find_uv.Settings(index.url, None))


def test_an_index_without_the_file_is_refused(index: Index) -> None:
    index.names = []
    with pytest.raises(find_uv.BootstrapError, match="the index has no"):
        find_uv.unpack_wheel(pin("00" * 32), find_uv.Settings(index.url, None))


@pytest.mark.parametrize(
    ("system", "machine", "libc", "expected"),
    [
        ("Linux", "x86_64", ("glibc", "2.36"), "manylinux_2_17_x86_64.manylinux2014_x86_64"),
        ("Linux", "x86_64", ("", ""), "musllinux_1_1_x86_64"),
        ("Linux", "aarch64", ("glibc", "2.17"), "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64"),
        ("Linux", "aarch64", ("", ""), "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64"),
        ("Darwin", "arm64", ("", ""), "macosx_11_0_arm64"),
        ("Darwin", "x86_64", ("", ""), "macosx_10_12_x86_64"),
    ],
)
def test_the_lock_file_has_a_wheel_for(system: str, machine: str, libc: tuple[str, str], expected: str) -> None:
    locked = find_uv.read_pin(ROOT / "uv.lock")
    name = find_uv.choose_wheel(list(locked.wheels), system, machine, libc)
    assert name == f"uv-{locked.version}-py3-none-{expected}.whl"
    assert len(bytes.fromhex(locked.wheels[name])) == 32


@pytest.mark.parametrize(("system", "machine"), [("Linux", "pdp11"), ("Windows", "AMD64")])
def test_an_unknown_machine_is_refused(system: str, machine: str) -> None:
    locked = find_uv.read_pin(ROOT / "uv.lock")
    with pytest.raises(find_uv.BootstrapError, match="install uv by hand"):
        find_uv.choose_wheel(list(locked.wheels), system, machine, ("glibc", "2.36"))


def test_too_old_a_libc_is_refused() -> None:
    with pytest.raises(find_uv.BootstrapError, match="no wheel"):
        find_uv.choose_wheel([f"uv-{VERSION}-py3-none-manylinux_2_17_x86_64.whl"], "Linux", "x86_64", ("glibc", "2.5"))


def test_settings_come_from_variables_then_from_pip(tmp_path: Path) -> None:
    config = tmp_path / ".config/pip/pip.conf"
    config.parent.mkdir(parents=True)
    config.write_text("[global]\nindex-url = https://file.invalid/simple\ncert = /file.pem\n")
    assert find_uv.read_settings({}, tmp_path) == find_uv.Settings("https://file.invalid/simple", "/file.pem")
    variables = {"PIP_INDEX_URL": "https://pip.invalid/simple", "REQUESTS_CA_BUNDLE": "/requests.pem"}
    assert find_uv.read_settings(variables, tmp_path) == find_uv.Settings("https://pip.invalid/simple", "/requests.pem")
    variables |= {"UV_DEFAULT_INDEX": "https://uv.invalid/simple", "SSL_CERT_FILE": "/ssl.pem"}
    assert find_uv.read_settings(variables, tmp_path) == find_uv.Settings("https://uv.invalid/simple", "/ssl.pem")


def test_uv_on_path_is_taken_only_when_it_runs_and_is_new_enough(tmp_path: Path) -> None:
    for name, body in {
        "good": "echo uv 9.9.9",
        "old": "echo uv 0.4.30",
        "broken": "exit 1",
        "other": "echo hello",
    }.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    assert find_uv.usable(str(tmp_path / "good"))
    assert not any(find_uv.usable(str(tmp_path / name)) for name in ("old", "broken", "other"))
    assert not find_uv.usable(None)


def run_steps(script: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f". {ROOT}/scripts/lib/steps; {script}; finish"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)


def test_all_steps_passing_is_success() -> None:
    done = run_steps("step one true; skip two 'not here'; step three test -d /")
    assert done.returncode == 0
    assert "== three: ok" in done.stdout
    assert "skipped: two" in done.stdout


def test_one_failed_step_is_failure_and_the_rest_still_runs() -> None:
    done = run_steps("step one bash -c 'exit 7'; step two echo reached")
    assert done.returncode == 1
    assert "== one: FAILED (7)" in done.stdout
    assert "reached" in done.stdout
    assert "failed: one" in done.stdout


def test_a_step_reads_no_input() -> None:
    assert "got []" in run_steps("step one bash -c 'echo got [$(cat)]' <<< hello").stdout
