"""The reference for people: the OpenAPI document as one page, with nothing fetched."""

from functools import lru_cache
from html import escape
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api.openapi import document

STYLE = """
:root { color-scheme: light dark; --line: #d5d8de; --soft: #f4f5f7; --ink: #1b1f27;
  --dim: #5b6472; --get: #1a6d3c; --post: #1d4fa3; --patch: #8a5200; --delete: #a3242b }
@media (prefers-color-scheme: dark) { :root { --line: #333944; --soft: #1d2128;
  --ink: #e6e9ee; --dim: #9aa4b2; --get: #6fd08f; --post: #86b2ff; --patch: #f0b35a;
  --delete: #ff8f94 } body { background: #14171c } }
* { box-sizing: border-box }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); margin: 0 auto;
  max-width: 60rem; padding: 1.5rem }
h1 { margin-bottom: .2rem } h2 { margin-top: 2.5rem; text-transform: capitalize }
h3 { font-size: .95rem; margin: 1rem 0 .3rem }
p { color: var(--dim) }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0 }
summary { cursor: pointer; padding: .6rem .8rem; overflow-wrap: anywhere }
summary b { display: inline-block; min-width: 4.5rem; font-size: .85rem }
summary span { color: var(--dim); margin-left: .6rem }
details > div { border-top: 1px solid var(--line); padding: .4rem .8rem 1rem }
.get { color: var(--get) } .post { color: var(--post) } .patch { color: var(--patch) }
.delete { color: var(--delete) }
code, pre { font: .88em/1.5 ui-monospace, monospace; background: var(--soft);
  border-radius: .3rem }
code { padding: .1em .3em } pre { padding: .8rem; margin: 0;
  overflow-x: auto; max-height: 30rem }
dt { margin-top: .5rem } dd { margin-left: 1rem; color: var(--dim) }
"""

Schema = dict[str, Any]

POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"


async def page(request: Request) -> Response:
    """Return the page."""
    headers = {"Content-Security-Policy": POLICY}
    return Response(_page(), media_type="text/html", headers=headers)


async def style(request: Request) -> Response:
    """Return the page's style sheet."""
    return Response(STYLE, media_type="text/css")


@lru_cache
def _spec() -> Schema:
    found: Schema = orjson.loads(document())
    return found


@lru_cache
def _page() -> str:
    spec = _spec()
    groups: dict[str, list[str]] = {}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            block = _operation(method, path, operation)
            groups.setdefault(operation["tags"][0], []).append(block)
    body = "".join(
        f"<h2>{escape(name)}</h2>{''.join(blocks)}" for name, blocks in groups.items()
    )
    info = spec["info"]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} reference</title>"
        '<link rel="stylesheet" href="/docs/style.css">'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])} All paths stand below <code>/api/v1</code>; "
        "send <code>Authorization: Bearer …</code>. The machine-readable form is "
        '<a href="/api/v1/openapi.json">openapi.json</a>.</p>' + body
    )


def _operation(method: str, path: str, operation: Schema) -> str:
    asked = operation.get("requestBody", {})
    answered = next(iter(operation["responses"].values()))  # the one that succeeds
    parameters = [
        _field(it["name"], it["in"], {**it["schema"], **it})
        for it in operation.get("parameters", ())
    ]
    codes = ", ".join(operation["responses"])
    return (
        f"<details><summary><b class={method}>{method.upper()}</b>"
        f"<code>{escape(path)}</code><span>{escape(operation['summary'])}</span>"
        f"</summary><div><p>{escape(operation['operationId'])}: "
        f"{escape(operation.get('description', ''))} Answers {escape(codes)}.</p>"
        f"<dl>{''.join(parameters)}{_fields(asked)}</dl>"
        f"{_example('Body', asked)}{_example('Answer', answered)}</div></details>"
    )


def _fields(asked: Schema) -> str:
    """Show the fields of a body."""
    lines = []
    for content in asked.get("content", {}).values():
        body = _referred(content["schema"])
        required = body.get("required", ())
        for name, schema in body["properties"].items():
            where = "body, required" if name in required else "body"
            lines.append(_field(name, where, schema))
    return "".join(lines)


def _field(name: str, where: str, schema: Schema) -> str:
    said = [_kind(schema), schema.get("description", "")]
    if schema.get("default") is not None:
        said.append(f"{orjson.dumps(schema['default']).decode()} without it.")
    text = " · ".join(filter(None, (said[0], " ".join(filter(None, said[1:])))))
    return (
        f"<dt><code>{escape(name)}</code> {escape(where)}</dt><dd>{escape(text)}</dd>"
    )


def _example(title: str, described: Schema) -> str:
    """Show the example of a body; nothing if there is none, or if it says nothing."""
    for content in described.get("content", {}).values():
        if example := content.get("example"):
            if not isinstance(example, str):
                example = orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
            return f"<h3>{title}</h3><pre>{escape(example.strip())}</pre>"
    return ""


def _kind(schema: Schema) -> str:
    """Say in a few words what a schema takes."""
    if "$ref" in schema:
        return f"{{{', '.join(_referred(schema)['properties'])}}}"
    if "items" in schema:
        return f"any number of: {_kind(schema['items'])}"
    if "enum" in schema:
        known = [str(one) for one in schema["enum"]]
        return " | ".join(known) if len(known) <= 8 else f"one of {len(known)} names"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    return str(schema.get("format") or schema.get("const") or schema.get("type", ""))


def _referred(schema: Schema) -> Schema:
    name = schema["$ref"].rpartition("/")[2]
    found: Schema = _spec()["components"]["schemas"][name]
    return found
