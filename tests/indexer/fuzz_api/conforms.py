"""Runs in schemathesis's environment: reads whatever an API has and compares it with what its document says.

Prints a JSON object: `faults`, a sentence each, and `seen`, the answers that had something in them.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

Json = dict[str, Any]
MOST_ITEMS = 10  # of a list that are asked for by themselves
GIVEN = {
    "/v1/series": [f"of=network&field={name}" for name in ("listed", "utilisation", "income-IOSD", "backing")],
    "/v1/leaders": [
        "by=served&of=node",
        "by=earned&of=owner&currency=IOSD",
        "by=stake&of=model",
        "by=stake&of=country",
    ],
    "/v1/search": ["q=1", "q=B"],
}


class Api:
    """An API and its document."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.document = self._get("/openapi.json")
        self.faults: list[str] = []
        self.seen: set[str] = set()

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self._address + path, timeout=60) as answer:
            return json.load(answer)

    def check(self, what: str, schema: Json, value: Any) -> None:
        """Note what of a value its schema does not allow."""
        validator = jsonschema_rs.validator_for({**schema, "components": self.document["components"]})
        self.faults += [f"{what}: {error.message[:300]}" for error in validator.iter_errors(value)]

    def ask(self, template: str, path: str) -> Any:
        """An answer, compared with what is said of its path."""
        answer = self._get(path)
        schema = self.document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        self.check(path, schema, answer)
        if answer.get("items", True):
            self.seen.add(template)
        return answer

    def pages(self, template: str, query: str) -> Iterator[Json]:
        """Every item of a list."""
        cursor = ""
        while True:
            page = self.ask(template, f"{template}?limit=200&{query}{cursor}".rstrip("&"))
            yield from page["items"]
            if page.get("next") is None:
                return
            cursor = f"&cursor={page['next']}"

    def one(self, template: str, query: str) -> Iterator[Json]:
        """An answer that is no list."""
        yield self.ask(template, f"{template}?{query}")

    def read(self) -> None:
        """Lists to their end, and what can be asked for by a key."""
        items: dict[str, list[Json]] = {}
        for path, methods in self.document["paths"].items():
            names = {each["name"] for each in methods.get("get", {}).get("parameters", [])}
            if "{" in path or path in ("/v1/stream", "/health") or "get" not in methods:
                continue
            for query in GIVEN.get(path, [""]):
                read = self.pages if "limit" in names else self.one
                items.setdefault(path, []).extend(read(path, query))
        for path, field, under in (
            ("/v1/nodes", "node", ("", "/days", "/reputation")),
            ("/v1/leases", "lease", ("", "/intervals")),
            ("/v1/clusters", "cluster", ("",)),
            ("/v1/cases", "case", ("",)),
            ("/v1/stakes", "position", ("",)),
            ("/v1/models", "model", ("",)),
        ):
            for item in items[path][:MOST_ITEMS]:
                for each in under:
                    self.ask(f"{path}/{{key}}{each}", f"{path}/{item[field]}{each}")
        for item in items["/v1/nodes"][:MOST_ITEMS]:
            self.ask("/v1/accounts/{wallet}", f"/v1/accounts/{item['owner']}")
            self.ask("/v1/search", f"/v1/search?q={item['node']}")
        for item in items["/v1/events"][:MOST_ITEMS]:
            self.ask("/v1/transactions/{signature}", f"/v1/transactions/{item['signature']}")
            self.ask("/v1/slots/{slot}", f"/v1/slots/{item['slot']}")
        for item in items["/v1/index"][:MOST_ITEMS]:
            self.ask("/v1/index/{model}", f"/v1/index/{item['model']}")

    def check_examples(self) -> None:
        """The document's own examples are what it allows."""
        for path, methods in self.document["paths"].items():
            for operation in methods.values():
                for each in operation.get("parameters", []):
                    if "example" in each:
                        self.check(f"{path} {each['name']}", each["schema"], each["example"])
                for status, response in operation["responses"].items():
                    for media, content in response.get("content", {}).items():
                        if "json" in media:
                            self.check(f"{path} {status}", content["schema"], content["example"])
        for name, response in self.document["components"]["responses"].items():
            for content in response.get("content", {}).values():
                self.check(name, content["schema"], content["example"])


def main() -> None:
    api = Api(sys.argv[1])
    api.read()
    for result in sys.argv[2:]:
        api.ask("/v1/trace/{result_hash}", f"/v1/trace/{result}")
    api.check_examples()
    print(json.dumps({"faults": api.faults, "seen": sorted(api.seen)}))


if __name__ == "__main__":
    main()
