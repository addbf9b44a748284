"""The way from a result to its proof, followed by the reader's own browser; and an indexer that lies about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from indexer.api_server import client_over
from indexer.recording import Recording
from indexer.story import RESULTS
from indexer.test_leaves_and_trace import post, upload_of
from ionet.rules import merkle
from ionet_indexer.postgres import EmbeddedPostgres
from market import leaf_hashes, leaves
from playwright.async_api import Page, expect
from solders.pubkey import Pubkey
from web.browser import Reader
from web.conftest import pages
from web.hostile import Alter, lying
from web.test_pages import Read

pytestmark = pytest.mark.asyncio(loop_scope="session")

RESULT = b"first"
WANTED = merkle.result_hash(RESULT).hex()
GOOD = "computed in this browser: the result leads to the root"
BAD = "the result does NOT lead to the root"


@pytest.fixture(scope="module")
def traced(server: EmbeddedPostgres, recording: Recording) -> Iterator[httpx2.Client]:
    """The API over the recorded market, with the leaves of two intervals."""
    with client_over(server, "traced", recording) as api:
        for interval in (0, 2):
            assert post(api, upload_of(recording, interval)).status_code == 201
        yield api


def of_results(alter: Callable[[dict[str, Any]], None]) -> Alter:
    """Altered in each occurrence of a result, and honest otherwise."""

    def told(path: str, found: Any) -> Any:
        if path.startswith("/v1/trace/"):
            for item in found["items"]:
                alter(item)
        return found

    return told


async def verdicts(page: Page) -> list[str]:
    outputs = page.locator("section.proof output")
    await expect(outputs.first).not_to_have_text("computing")
    return await outputs.all_inner_texts()


async def test_a_file_is_hashed_here_and_its_path_followed(
    traced: httpx2.Client, reader: Reader, tmp_path: Path
) -> None:
    file = tmp_path / "result.bin"
    file.write_bytes(RESULT)
    sent: list[str | None] = []
    with pages(str(traced.base_url)) as client:
        page = await reader.open(f"{client.base_url}/trace")
        page.on("request", lambda request: sent.append(request.post_data))
        await page.locator("input[type=file]").set_input_files(file)
        await page.wait_for_url(f"**/trace/{WANTED}")
        assert await verdicts(page) == [GOOD, GOOD]  # intervals 0 and 2
        assert set(sent) == {None}  # the result stays in the browser


async def test_pasted_text_is_a_result_too(traced: httpx2.Client, reader: Reader) -> None:
    reader.expected.append("404")
    with pages(str(traced.base_url)) as client:
        page = await reader.open(f"{client.base_url}/trace")
        await page.locator("textarea").fill(RESULT.decode())
        await page.get_by_role("button", name="Hash and look up").click()
        await page.wait_for_url(f"**/trace/{WANTED}")
        await page.locator("textarea").fill("never computed")
        await page.get_by_role("button", name="Hash and look up").click()
        await page.get_by_text("It was not computed on this network").wait_for()


async def test_a_dropped_file_is_looked_up(traced: httpx2.Client, reader: Reader) -> None:
    with pages(str(traced.base_url)) as client:
        page = await reader.open(f"{client.base_url}/trace")
        await page.evaluate(
            """text => {
                const given = new DataTransfer();
                given.items.add(new File([text], "result"));
                const how = {dataTransfer: given, bubbles: true, cancelable: true};
                document.body.dispatchEvent(new DragEvent("drop", how));
            }""",
            RESULT.decode(),
        )
        await page.wait_for_url(f"**/trace/{WANTED}")
        assert await verdicts(page) == [GOOD, GOOD]


async def test_without_a_script_the_server_has_followed_it(traced: httpx2.Client) -> None:
    with pages(str(traced.base_url)) as client:
        text = client.get(f"/trace?hash={WANTED}", follow_redirects=True).text
        assert text.count('<span class="state good">yes</span>') == 2
        missing = client.get(f"/trace/{'0' * 64}")
        assert missing.status_code == 404
        Read(missing.text)
        for wrong in ("x", "00", "é" * 64):
            assert client.get(f"/trace/{wrong}").status_code == 400


def _leaf(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def alter(item: dict[str, Any]) -> None:
        assert item["leaf"][name] != value
        item["leaf"][name] = value

    return alter


def _field(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def alter(item: dict[str, Any]) -> None:
        assert item[name] != value
        item[name] = value

    return alter


def _another_result(item: dict[str, Any]) -> None:
    """A true path, but of another result in the same interval."""
    results = RESULTS[item["interval"]]
    other = next(number for number, result in enumerate(results) if result != RESULT)
    path = merkle.path(leaf_hashes(Pubkey.from_string(item["lease"]), item["interval"], results), other)
    task, _ = leaves(results)[other]
    item["leaf"] |= {"index": other, "task_id": task.hex(), "path": [sibling.hex() for sibling in path]}


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "no path": _leaf("path", []),
    "a longer path": lambda item: item["leaf"]["path"].append("11" * 32),
    "another sibling": lambda item: item["leaf"]["path"].__setitem__(0, "11" * 32),
    "another root": _leaf("root", "11" * 32),
    "the root of nothing": _leaf("root", "00" * 32),
    "another task": _leaf("task_id", "11" * 32),
    "another place": _leaf("index", 1),
    "a place outside": _leaf("index", 99),
    "another count": _leaf("count", 1),
    "no hash": _leaf("root", "zz"),
    "another interval": _field("interval", 7),
    "another lease": _field("lease", "1" * 32),
    "no lease": _field("lease", "0OIl"),
    "another result": _another_result,
}


async def test_a_lying_indexer_is_caught_by_browser_and_server(traced: httpx2.Client, reader: Reader) -> None:
    for name, alter in LIES.items():
        with lying(traced, of_results(alter)) as url, pages(url) as client:
            page = await reader.open(f"{client.base_url}/trace/{WANTED}")
            told = await verdicts(page)
            assert [BAD in each for each in told] == [True, True], (name, told)
            assert await page.locator("dd .state.good", has_text="yes").count() == 0, name
            await page.close()


async def test_an_honest_copy_passes(traced: httpx2.Client, reader: Reader) -> None:
    """So it is the lies that are refused, not the way they come."""
    with lying(traced, of_results(lambda _: None)) as url, pages(url) as client:
        page = await reader.open(f"{client.base_url}/trace/{WANTED}")
        assert await verdicts(page) == [GOOD, GOOD]
