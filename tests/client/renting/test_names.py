"""Names of clusters on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from ionet.errors import ConfigError, InvalidInput
from ionet.renting.names import Named, Names


def cluster(address: str) -> Named:
    return Named(address, "http://127.0.0.1:1", "renter", "http://a", "http://l", 1)


def test_a_name_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    names = Names(tmp_path / "deep" / "clusters.json")
    assert names.all() == {}
    names.add("one", cluster("A"))
    names.add("two", cluster("B"))
    assert Names(tmp_path / "deep" / "clusters.json").get("one") == cluster("A")
    with pytest.raises(InvalidInput, match="called one already"):
        names.add("one", cluster("C"))
    with pytest.raises(InvalidInput, match="two is being opened"):
        names.add("three", cluster("B"))
    with pytest.raises(InvalidInput, match="did you mean two"):
        names.get("twoo")
    names.forget("one")
    names.forget("one")
    assert list(names.all()) == ["two"]
    assert names.past() == {}
    names.close("two")
    names.close("two")
    assert (names.all(), names.past()) == ({}, {"two": cluster("B")})
    names.add("two", cluster("C"))
    names.close("two")
    assert Names(tmp_path / "deep" / "clusters.json").past() == {"two": cluster("C")}


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "x" * 41])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="is no name"):
        Names(tmp_path / "clusters.json").add(name, cluster("A"))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "clusters.json"
    path.write_text("{")
    with pytest.raises(ConfigError, match=r"clusters\.json"):
        Names(path).all()
    assert path.read_text() == "{"
