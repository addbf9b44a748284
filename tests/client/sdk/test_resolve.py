"""Durations, shares, countries and models as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ionet.api.network import known_models
from ionet.countries import NUMBERS
from ionet.errors import InvalidInput
from ionet.resolve import country, duration, model, near, share, until

MODELS = {item.code: item.name for item in known_models()}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3600", 3600), ("90m", 5400), ("1h", 3600), ("1.5h", 5400), ("1d12h", 129600), ("2D", 172800), ("1w", 604800)],
)
def test_durations(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1.5", "-5", "1h and", "h", "0.1s", "1y", "٣h"])
def test_no_duration(text: str) -> None:
    with pytest.raises(InvalidInput):
        duration(text)


@pytest.mark.parametrize(("text", "bps"), [("30%", 3000), ("0.5%", 50), ("30", 30), ("100%", 10000), ("0", 0)])
def test_shares(text: str, bps: int) -> None:
    assert share(text) == bps


@pytest.mark.parametrize("text", ["", "%", "-1%", "101%", "10001", "0.001%", "1e3", "half"])
def test_no_share(text: str) -> None:
    with pytest.raises(InvalidInput):
        share(text)


@given(st.integers(0, 10_000))
def test_a_percentage_and_its_basis_points_are_the_same(bps: int) -> None:
    assert share(f"{bps / 100}%") == share(str(bps)) == bps


def test_countries() -> None:
    assert country("de") == country("276") == 276
    assert country("AF") == country("4") == country("004")
    assert all(country(letters) == number for letters, number in NUMBERS.items())
    for nonsense in ("ZZ", "0", "1000", "Germany", ""):
        with pytest.raises(InvalidInput):
            country(nonsense)


@pytest.mark.parametrize("text", ["7", "4090", "RTX 4090", "rtx4090", "rtx-4090", "NVIDIA RTX 4090"])
def test_a_model_has_many_names(text: str) -> None:
    assert model(text, MODELS) == 7


def test_every_model_is_found_by_code_and_name() -> None:
    for code, name in MODELS.items():
        assert model(str(code), MODELS) == model(name, MODELS) == model(name.lower().replace(" ", ""), MODELS) == code


@pytest.mark.parametrize(("text", "like"), [("a100", "A100-80, A100-40"), ("4900", "RTX 4090"), ("h10", "H100")])
def test_an_unknown_model_names_those_like_it(text: str, like: str) -> None:
    with pytest.raises(InvalidInput, match="ionet network models") as refused:
        model(text, MODELS)
    assert like in str(refused.value)


def test_near() -> None:
    assert near("kubernets", ["ray", "kubernetes"]) == "; did you mean kubernetes?"
    assert near("xyz", ["ray", "kubernetes"]) == ""


@pytest.mark.parametrize(
    ("text", "unix"), [("90d", 1_700_000_000 + 90 * 86_400), ("60", 1_700_000_060), ("1800000000", 1_800_000_000)]
)
def test_moments_are_from_now_or_unix_seconds(text: str, unix: int) -> None:
    assert until(text, 1_700_000_000) == unix


def test_no_moment() -> None:
    with pytest.raises(InvalidInput, match="no duration"):
        until("tomorrow", 1_700_000_000)
