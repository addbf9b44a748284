"""Tasks as people write them, and what is said of those that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from ionet.errors import InvalidInput
from ionet.renting.task import Resources, Task, commands_of, read, wish_of, with_script
from ionet.rules.reputation import ONE

MODELS = {1: "H100 SXM", 7: "RTX 4090"}


def written(folder: Path, text: str) -> Path:
    path = folder / "task.yaml"
    path.write_text(text)
    return path


def test_a_task_as_its_users_know_it(tmp_path: Path) -> None:
    text = """
name: squares
resources: {accelerators: 4090:8, country: "DE,FR", max_price: 2.5, min_score: 0.8, isolation: bubblewrap,
  gpu_memory: 24GB, max_latency: 50}
num_nodes: 2
workdir: .
envs: {WHO: me, COUNT: 3, EMPTY: }
setup: pip install --user tqdm
run: python job.py
hours: 90m
"""
    task = read(written(tmp_path, text))
    wish = wish_of(task, MODELS)
    assert (wish.model, wish.processors, wish.nodes, wish.secs, wish.currency) == ("7", 8, 2, 5_400, "IOSD")
    assert (wish.max_price, wish.countries, wish.min_score) == (2_500_000, (276, 250), 8 * ONE // 10)
    assert (wish.gpu_memory_mib, wish.max_latency_ms) == (22_888, 50.0)
    assert commands_of(task, []) == ["pip install --user tqdm", "python job.py"]
    assert commands_of(task, ["other.py", "a b"])[1] == "python other.py 'a b'"
    assert commands_of(Task(), ["nvidia-smi", "-L"]) == ["nvidia-smi -L"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resurces: {}", "no field 'resurces'; did you mean resources?"),
        ("resources: {acelerators: H100}", "no field 'acelerators'; did you mean accelerators?"),
        ("num_nodes: 0", "num_nodes is 0"),
        ("num_nodes: many", "Expected `int`"),
        ("[1, 2]", "no table of fields"),
        ("a: b: c", "is no YAML"),
        ("&a [*a]", "no table of fields"),
        ("x: " + "[" * 20_000, "is no YAML"),
        ("# " + "x" * 300_000, "more than 262144 bytes"),
        ("!!python/object/apply:os.system [true]", "is no YAML"),
    ],
)
def test_what_is_no_task_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace("?", r"\?")):
        read(written(tmp_path, text))


@pytest.mark.parametrize(
    ("resources", "hours", "said"),
    [
        (Resources(), None, "which model"),
        (Resources(accelerators="4090:0"), None, "no model with a number"),
        (Resources(accelerators="4090x"), None, "no model 4090x"),
        (Resources(accelerators="4090", isolation="strong"), None, "levels are container"),
        (Resources(accelerators="4090", min_score=2), None, "not from 0 to 1"),
        (Resources(accelerators="4090", country="XX"), None, "country 'XX'"),
        (Resources(accelerators="4090", max_price="cheap"), None, "no price in dollars"),
        (Resources(accelerators="4090", max_price="0.0000001"), None, "no price in dollars"),
        (Resources(accelerators="4090", gpu_memory="much"), None, "not a number of gigabytes"),
        (Resources(accelerators="4090", gpu_memory=-1), None, "not a number of gigabytes"),
        (Resources(accelerators="4090", max_latency=0), None, "not a number of milliseconds above 0"),
        (Resources(accelerators="4090"), "soon", "no duration"),
        (Resources(accelerators="4090"), "0", "no time"),
    ],
)
def test_what_no_node_can_be_is_refused(resources: Resources, hours: str | None, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        wish_of(Task(resources=resources, hours=hours), MODELS)


def test_there_is_always_a_job() -> None:
    with pytest.raises(InvalidInput, match="no job"):
        commands_of(Task(), [])


def test_a_script_goes_with_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ionet run -- job.py`, as the first page for renters has it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("job.py", "sub/other.py"):
        (tmp_path / name).write_text("print(1)")
    task, job = with_script(Task(), ["job.py", "--fast"])
    assert (task.file_mounts, job) == ({"job.py": "job.py"}, ["job.py", "--fast"])
    assert with_script(Task(), ["sub/other.py"])[0].file_mounts == {"sub/other.py": "sub/other.py"}
    absolute = str(tmp_path / "sub/other.py")
    task, job = with_script(Task(file_mounts={"a": "b"}), [absolute])
    assert (task.file_mounts, job) == ({"other.py": absolute, "a": "b"}, ["other.py"])
    for whole in (Task(workdir="."), Task()):
        words = ["job.py"] if whole.workdir else ["nvidia-smi"]
        assert with_script(whole, words) == (whole, words)
    with pytest.raises(InvalidInput, match=r"there is no gone.py here"):
        with_script(Task(), ["gone.py"])
    assert with_script(Task(setup="touch gone.py"), ["gone.py"])[1] == ["gone.py"]
