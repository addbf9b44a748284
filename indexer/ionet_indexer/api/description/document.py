"""The OpenAPI document: what Litestar read from the handlers, with names, forms, problems and examples of this API."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from ionet import advert
from litestar import Litestar

from ionet_indexer.api.description import operations
from ionet_indexer.api.description.examples import example_of
from ionet_indexer.api.description.fields import told
from ionet_indexer.api.description.forms import FORMS, UNKNOWN, WORDS, Form, Words
from ionet_indexer.api.problems import problems

Json = dict[str, Any]
_GENERIC = re.compile(r"(Page|One)_[\w.]*?(\w+)_$")
_NOISE = {"deprecated": False, "allowEmptyValue": False, "allowReserved": False}


def document(app: Litestar) -> Json:
    """What /openapi.json answers."""
    raw = app.openapi_schema.to_schema()
    schemas = {_name(name): _renamed(schema) for name, schema in raw["components"]["schemas"].items()}
    texts = {_plain(kind): inspect.getdoc(kind) or "" for kind in _answers(app)}
    described = {name: _answer(name, schema, texts) for name, schema in schemas.items()}
    shared = {**described, **operations.EXTRA, **problems(), **{name: _enum(each) for name, each in WORDS.items()}}
    found: Json = {
        "openapi": raw["openapi"],
        "info": {**raw["info"], "description": operations.INTRODUCTION, "license": operations.LICENSE},
        "tags": [{"name": name, "description": text} for name, text in operations.TAGS.items()],
        "paths": {
            path: {method: _operation(path, method, _renamed(each), shared) for method, each in methods.items()}
            for path, methods in sorted(raw["paths"].items())
        },
        "components": {
            "schemas": dict(sorted(shared.items())),
            "responses": operations.RESPONSES,
            "headers": operations.HEADERS,
        },
    }
    return found


def _name(name: str) -> str:
    """`Page_ionet_indexer.topics.nodes.Node_` is a `NodeList`, `One_…` a `NodeAnswer`."""
    found = _GENERIC.match(name)
    return name if found is None else found[2] + ("List" if found[1] == "Page" else "Answer")


def _renamed(part: Any) -> Any:
    """With the new names in its references, whole numbers as such, and null where JSON Schema says it shortest."""
    if isinstance(part, list):
        return [_renamed(each) for each in part]
    if isinstance(part, float) and part.is_integer():
        return int(part)
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return {"$ref": "#/components/schemas/" + _name(part["$ref"].rpartition("/")[2])}
    found = {key: _renamed(value) for key, value in part.items()}
    either = found.get("oneOf", [])
    if len(either) == 2 and {"type": "null"} in either and "$ref" not in either[0]:
        (kind,) = (each for each in either if each != {"type": "null"})
        found.pop("oneOf")
        return {**found, **kind, "type": [kind["type"], "null"]}
    return found


def _answers(app: Litestar) -> Iterator[type[Any]]:
    """Every struct that an answer is made of."""
    handlers = [handler for route in app.routes for handler in getattr(route, "route_handlers", ())]
    waiting = [handler.parsed_fn_signature.return_type.annotation for handler in handlers]
    seen: set[Any] = set()
    while waiting:
        kind = waiting.pop()
        if kind in seen:
            continue
        seen.add(kind)
        waiting += get_args(kind)
        plain = get_origin(kind) or kind
        if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
            yield plain
            waiting += get_type_hints(plain).values()


def _plain(kind: Any) -> str:
    return str((get_origin(kind) or kind).__name__)


def _answer(name: str, schema: Json, texts: Mapping[str, str]) -> Json:
    envelope = "finalized_slot" in schema["properties"]
    found = {**schema, "properties": {}, "required": sorted(schema["properties"])}  # none is ever left out
    found.pop("title", None)
    found["description"] = texts.get(name) or texts["One" if name.endswith("Answer") else "Page"]
    for field, kind in schema["properties"].items():
        form, text = told(name, field)
        if envelope and field == "slot":
            text = "The newest confirmed slot in this answer; −1 before the first."
        found["properties"][field] = _field(field, kind, form, text)
    return found


def _field(field: str, kind: Json, form: str, text: str) -> Json:
    if form.startswith("="):
        return _words(kind, form.removeprefix("="), text)
    facts: Form = FORMS[form]
    said = " ".join(each for each in (text, facts.unit) if each) or f"{field.replace('_', ' ').capitalize()}."
    if kind.get("type") == "array" and facts.schema:
        return {**kind, "items": {**kind["items"], **facts.schema, "examples": [facts.example]}, "description": said}
    found = {**kind, **facts.schema, "description": said}
    return found if facts.example is None else {**found, "examples": [facts.example]}


def _words(kind: Json, name: str, text: str) -> Json:
    """A word, some words, or a word or null."""
    words: Words = WORDS[name]
    one: Json = {"$ref": f"#/components/schemas/{name}"}
    if words.extended:
        one = {"anyOf": [one, {"type": "string", "pattern": UNKNOWN}]}
    said = {"description": text or words.text}
    if kind.get("type") == "array":
        return {**kind, "items": one, **said}
    if kind.get("type") == "object":
        return {**kind, "propertyNames": one, **said}
    if "null" in kind.get("type", ""):
        return {"anyOf": [*one.get("anyOf", [one]), {"type": "null"}], **said}
    return {**one, **said}


def _enum(words: Words) -> Json:
    return {"type": "string", "enum": list(words.known), "description": words.text}


def _operation(path: str, method: str, raw: Json, schemas: Json) -> Json:
    name = raw["operationId"]
    parameters = [_parameter(each) for each in raw.get("parameters", [])]
    summary, _, more = (raw.get("description") or "").strip().partition("\n\n")
    found: Json = {
        "operationId": name,
        "tags": [operations.tag_of(path)],
        "summary": " ".join(summary.split()),
        "description": " ".join((more or summary).split()),
    }
    if operations.has_name(path, method):
        parameters.append(operations.IF_NONE_MATCH)
    if parameters:
        found["parameters"] = parameters
    if method == "post":
        found["requestBody"] = operations.ADVERT if path == advert.PATH else operations.BODY
    found["responses"] = operations.responses(path, method, raw["responses"], lambda kind: example_of(kind, schemas))
    return found


def _parameter(raw: Json) -> Json:
    """A parameter is given or not; it is never null."""
    found = {key: value for key, value in raw.items() if (key, value) not in _NOISE.items()}
    schema = {key: value for key, value in raw["schema"].items() if key not in ("description", "examples", "default")}
    if isinstance(schema.get("type"), list):
        schema["type"] = schema["type"][0]
    if raw["schema"].get("default") is not None:
        schema["default"] = raw["schema"]["default"]
    if schema.get("type") == "array":
        found |= {"style": "form", "explode": False}
        schema["items"] = _known(schema["items"])
    found["schema"] = _known(schema)
    examples = [each["value"] for each in found.pop("examples", {}).values()]
    return found | ({"example": examples[0]} if examples else {})


def _known(schema: Json) -> Json:
    """A reference to the words where they have a name."""
    for name, words in WORDS.items():
        if schema.get("enum") == list(words.known):
            reference: Json = {"$ref": f"#/components/schemas/{name}"}
            return reference | ({"default": schema["default"]} if "default" in schema else {})
    return schema
