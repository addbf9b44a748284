"""An example of an answer, made of the examples of its fields."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def example_of(schema: Json, schemas: Json) -> Any:
    """A value that the schema allows. schemas: those that it may refer to."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return example_of(schema[name][0], schemas)
    kind = schema.get("type")
    if isinstance(kind, list):
        return None
    if kind == "array":
        return [example_of(schema["items"], schemas)]
    if kind == "object":
        return {name: example_of(each, schemas) for name, each in schema.get("properties", {}).items()}
    return {"integer": 0, "number": 0.5, "boolean": True}.get(str(kind), "")
