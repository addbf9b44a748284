"""/docs: the document as one page, made here. It has no script, and nothing in it asks another host for anything."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

Json = dict[str, Any]

CONTENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem}
h2{margin-top:3rem}h3{margin:0;font-size:1rem;display:inline}
code,pre{font:.85rem/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.5rem;border:1px solid #8886}
details{border-top:1px solid #8886;padding:.5rem 0}summary{cursor:pointer}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #8883}
td:first-child{white-space:nowrap}.quiet{opacity:.7}.method{font-weight:600}
"""


def page(document: Json) -> str:
    """The page of a document."""
    info, shared = document["info"], document["components"]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])} <small class=quiet>{escape(info['version'])}</small></h1>",
        _text(info["description"]),
        '<p>As a document for tools: <a href="/openapi.json">/openapi.json</a>.</p><ul>',
        *(_entry(tag) for tag in document["tags"]),
        '<li><a href="#schemas">Answers, field by field</a></li></ul>',
    ]
    for tag in document["tags"]:
        parts.append(f'<h2 id="{tag["name"]}">{escape(tag["name"].capitalize())}</h2>{_text(tag["description"])}')
        parts += [
            _operation(path, method, each, shared)
            for path, methods in document["paths"].items()
            for method, each in methods.items()
            if tag["name"] in each["tags"]
        ]
    parts.append('<h2 id="schemas">Answers, field by field</h2>')
    parts += [_schema(name, each) for name, each in shared["schemas"].items()]
    return "".join([*parts, "</body></html>"])


def _entry(tag: Json) -> str:
    return f'<li><a href="#{tag["name"]}">{escape(tag["name"].capitalize())}</a> {escape(tag["description"])}</li>'


def _text(text: str) -> str:
    """Paragraphs with `code`."""
    return "".join(f"<p>{_code(part)}</p>" for part in text.split("\n\n") if part)


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _operation(path: str, method: str, operation: Json, shared: Json) -> str:
    name = operation["operationId"]
    more = operation["description"] if operation["description"] != operation["summary"] else ""
    rows = "".join(_parameter(each) for each in operation.get("parameters", []))
    answers = "".join(_response(status, each, shared) for status, each in operation["responses"].items())
    return (
        f'<details id="{name}"><summary><span class=method>{method.upper()}</span> '
        f"<h3><code>{escape(path)}</code></h3> {_code(operation['summary'])}</summary>{_text(more)}"
        f"<p class=quiet>operation <code>{name}</code></p>"
        + (f"<table><tr><th>parameter<th>in<th>what it takes<th>example</tr>{rows}</table>" if rows else "")
        + f"<table><tr><th>status<th>answer</tr>{answers}</table></details>"
    )


def _parameter(parameter: Json) -> str:
    schema = parameter["schema"]
    needed = " <small>required</small>" if parameter.get("required") else ""
    example = parameter.get("example", "")
    shown = ",".join(example) if isinstance(example, list) else _example(example)
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code>{needed}<td>{parameter['in']}"
        f"<td>{_code(parameter.get('description', ''))} {_kind(schema)}<td><code>{escape(shown)}</code></tr>"
    )


def _response(status: str, response: Json, shared: Json) -> str:
    if "$ref" in response:
        response = shared["responses"][response["$ref"].rpartition("/")[2]]
    content = "".join(_content(media, each) for media, each in response.get("content", {}).items())
    return f"<tr><td>{status}<td>{_code(response['description'])}{content}</tr>"


def _content(media: str, told: Json) -> str:
    shown = f"<div>{escape(media)} {_kind(told['schema'])}</div>"
    if "example" not in told:
        return shown  # bytes
    example = escape(_example(told["example"]))
    return f"{shown}<details><summary class=quiet>example</summary><pre>{example}</pre></details>"


def _example(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _schema(name: str, schema: Json) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code><td>{_kind(each)}<td>{_code(each.get('description', ''))}</tr>"
        for field, each in schema.get("properties", {}).items()
    )
    words = ", ".join(f"<code>{escape(str(each))}</code>" for each in schema.get("enum", []))
    return (
        f'<details id="schema-{name}"><summary><h3>{name}</h3></summary>{_text(schema.get("description", ""))}'
        + (f"<p>{words}</p>" if words else "")
        + (f"<table><tr><th>field<th>type<th></tr>{rows}</table>" if rows else "")
        + "</details>"
    )


def _kind(schema: Json) -> str:
    """A type, in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_kind(each) for each in schema[several])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema['items'])}"
    limits = [f"{name} {schema[name]}" for name in ("minimum", "maximum", "maxLength", "default") if name in schema]
    if 0 < len(schema.get("pattern", "")) < 80:
        limits.append(f"<code>{escape(schema['pattern'])}</code>")
    names = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"<span class=quiet>{names}{''.join(', ' + each for each in limits)}</span>"
