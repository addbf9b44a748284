from __future__ import annotations

import os
from pathlib import Path

import pytest
from ionet.errors import ConfigError
from ionet_launcher.agents_file import AgentsFile
from solders.pubkey import Pubkey

NODE, OTHER = (Pubkey.from_bytes(bytes([i] * 32)) for i in (1, 2))


def test_agents_are_read_again_when_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "agents.json"
    path.write_text("{}")
    agents = AgentsFile(path)
    assert NODE not in agents
    path.write_text(f'{{"{NODE}": "https://127.0.0.1:1"}}')
    assert dict(agents) == {NODE: "https://127.0.0.1:1"}
    path.write_text("broken")
    assert agents[NODE] == "https://127.0.0.1:1"
    path.write_text(f'{{"{OTHER}": "https://127.0.0.1:2"}}')
    assert list(agents) == [OTHER]
    os.unlink(path)
    assert len(agents) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "not a JSON object"),
        ("{", "not a JSON object"),
        ('{"x": "https://a"}', "not a JSON object"),
        (f'{{"{NODE}": 5}}', "not a JSON object"),
        (f'{{"{NODE}": "http://a"}}', "http://a is not an https URL"),
    ],
)
def test_bad_agents_are_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "agents.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=said):
        AgentsFile(path)


def test_missing_agents_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        AgentsFile(tmp_path / "none")
