"""A device model is named by its code or by what people call it, wherever the API takes one."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from indexer.api_server import get

PLACES = (
    ("nodes", "model", "{}", 400),
    ("offers", "model", "{}", 400),
    ("index", "model", "{}", 400),
    ("series?field=listed", "of", "model:{}", 404),
)
"""Path, parameter and its form, and the status where nothing has the name."""


def ask(api: httpx2.Client, path: str, name: str, value: str, code: int = 200) -> Any:
    path, _, more = path.partition("?")
    return get(api, path, code, **dict([more.split("=")] if more else []), **{name: value})


@pytest.mark.parametrize("text", ["B200", "b-200", "NVIDIA B200"])
def test_what_people_call_a_model_is_taken_everywhere(text: str, api: httpx2.Client) -> None:
    for path, name, form, _ in PLACES:
        found = ask(api, path, name, form.format(text))
        assert found == ask(api, path, name, form.format("1"))
        assert path == "index" or found["items"]
    assert get(api, f"models/{text}")["item"]["code"] == 1


@pytest.mark.parametrize("text", ["4090", "rtx4090", "GeForce RTX 4090", "7"])
def test_a_number_may_be_what_people_call_a_model(text: str, api: httpx2.Client) -> None:
    assert get(api, f"models/{text}")["item"]["name"] == "RTX 4090"
    for path, name, form, _ in PLACES:
        assert ask(api, path, name, form.format(text))["items"] == []


def test_a_code_goes_before_a_name(api: httpx2.Client) -> None:
    assert get(api, "models/4")["item"]["name"] == "A100-80"  # not T4 or L4


@pytest.mark.parametrize(("text", "like"), [("A100", {"A100-80", "A100-40"}), ("6000", {"RTX 6000 Ada", "RTX A6000"})])
def test_what_may_mean_several_is_refused_and_they_are_named(text: str, like: set[str], api: httpx2.Client) -> None:
    found = [ask(api, path, name, form.format(text), status) for path, name, form, status in PLACES]
    found += [get(api, f"models/{text}", 404), get(api, f"index/{text}", 404)]
    for problem in found:
        assert problem["type"] in ("bad-value", "not-found")
        assert set(problem["detail"].rpartition("like it: ")[2].split(", ")) == like


def test_what_is_spelled_like_one_is_refused_with_its_name(api: httpx2.Client) -> None:
    for path, name, form, status in PLACES:
        assert "like it: H200" in ask(api, path, name, form.format("H2O0"), status)["detail"]
        assert "like it" not in ask(api, path, name, form.format("no such thing"), status)["detail"]


def test_a_number_that_names_nothing_is_a_code_that_is_not_known_yet(api: httpx2.Client) -> None:
    for path, name, form, status in PLACES:
        assert ask(api, path, name, form.format("777"))["items"] == []
        ask(api, path, name, form.format("65536"), status)
    get(api, "models/777", 404)


def test_a_search_finds_it_by_what_people_call_it(api: httpx2.Client) -> None:
    for text in ("4090", "rtx4090", "RTX 409", "geforce 4090"):
        found = get(api, "search", q=text)["items"]
        assert [each["key"] for each in found if each["kind"] == "model"] == ["RTX 4090"]
