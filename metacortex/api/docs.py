"""The reference for people: Swagger UI at /docs, and /docs/plain without scripts.

Both come from this server alone; the files of Swagger UI are those of the package
`fastapi-offline`.
"""

from html import escape
from importlib.resources import files
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response

from metacortex.api.routing import Router

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

PLAIN_POLICY = (
    "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)  # Swagger UI sets styles of elements; scripts are files

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>MetaCortex API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="swagger-ui" data-development="{development}"></div>
<noscript><a href="/docs/plain">The reference without scripts</a></noscript>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/init.js"></script></body></html>
"""

INIT = """"use strict";
const root = document.getElementById("swagger-ui");

async function authorize(ui) {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: "ada" }),
  });
  if (response.ok) {
    ui.preauthorizeApiKey("bearer", (await response.json()).data.token);
  }
}

const ui = SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  domNode: root,
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "none",
  filter: true,
  onComplete: () => root.dataset.development === "true" && authorize(ui),
});
"""


def add_docs(app: FastAPI, *, development: bool) -> None:
    """Add the pages; in development, Swagger UI asks for a token of its own."""
    router = Router(prefix="/docs", include_in_schema=False)
    html = PAGE.format(development="true" if development else "false")

    @router.get("")
    async def page() -> Response:
        return _html(html, POLICY)

    @router.get("/init.js")
    async def script() -> Response:
        return Response(INIT, media_type="text/javascript")

    @router.get("/plain")
    async def plain() -> Response:
        return _html(_plain(app), PLAIN_POLICY)

    @router.get("/style.css")
    async def style() -> Response:
        return Response(STYLE, media_type="text/css")

    app.include_router(router)
    assets = files("fastapi_offline") / "static"
    app.mount("/docs/assets", StaticFiles(directory=str(assets)), name="docs-assets")


def _html(content: str, policy: str) -> Response:
    headers = {"Content-Security-Policy": policy}
    return Response(content, media_type="text/html", headers=headers)


def _plain(app: FastAPI) -> str:
    """Return the page, made anew when the document has changed."""
    spec = app.openapi()
    cached: tuple[Schema, str] | None = getattr(app.state, "plain_docs", None)
    if cached is None or cached[0] is not spec:
        cached = app.state.plain_docs = spec, _Page(spec).render()
    return cached[1]


class _Page:
    """The document as one page of HTML."""

    def __init__(self, spec: Schema) -> None:
        self.spec = spec

    def render(self) -> str:
        """Return the page."""
        groups: dict[str, list[str]] = {}
        for path, operations in self.spec["paths"].items():
            for method, operation in operations.items():
                if method == "servers":
                    continue
                block = self.operation(method, path, operation)
                tags = operation.get("tags") or ["other"]
                groups.setdefault(tags[0], []).append(block)
        body = "".join(
            f"<h2>{escape(name)}</h2>{''.join(blocks)}"
            for name, blocks in groups.items()
        )
        info = self.spec["info"]
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(info['title'])} reference</title>"
            '<link rel="stylesheet" href="/docs/style.css">'
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
            f"<p>{escape(info['description'])} All paths stand below "
            "<code>/api/v1</code>; send <code>Authorization: Bearer …</code>. The "
            'machine-readable form is <a href="/api/v1/openapi.json">openapi.json</a>; '
            'to try requests out, use <a href="/docs">the interactive page</a>.</p>'
            + body
        )

    def operation(self, method: str, path: str, operation: Schema) -> str:
        asked = operation.get("requestBody", {})
        answered = next(iter(operation["responses"].values()))  # the one that succeeds
        parameters = [
            self.field(it["name"], it["in"], {**it["schema"], **it})
            for it in operation.get("parameters", ())
        ]
        codes = ", ".join(operation["responses"])
        return (
            f"<details><summary><b class={method}>{method.upper()}</b>"
            f"<code>{escape(path)}</code><span>{escape(operation['summary'])}</span>"
            f"</summary><div><p>{escape(operation['operationId'])}: "
            f"{escape(operation.get('description', ''))} Answers {escape(codes)}.</p>"
            f"<dl>{''.join(parameters)}{self.fields(asked)}</dl>"
            f"{self.example('Body', asked)}{self.example('Answer', answered)}"
            "</div></details>"
        )

    def fields(self, asked: Schema) -> str:
        """Show the fields of a body."""
        lines = []
        for content in asked.get("content", {}).values():
            body = self.referred(content["schema"])
            required = body.get("required", ())
            for name, schema in body["properties"].items():
                where = "body, required" if name in required else "body"
                lines.append(self.field(name, where, schema))
        return "".join(lines)

    def field(self, name: str, where: str, schema: Schema) -> str:
        said = [self.kind(schema), schema.get("description", "")]
        if schema.get("default") is not None:
            said.append(f"{orjson.dumps(schema['default']).decode()} without it.")
        text = " · ".join(filter(None, (said[0], " ".join(filter(None, said[1:])))))
        term = f"<dt><code>{escape(name)}</code> {escape(where)}</dt>"
        return f"{term}<dd>{escape(text)}</dd>"

    def example(self, title: str, described: Schema) -> str:
        """Show the example of a body, if there is one that says anything."""
        for content in described.get("content", {}).values():
            if example := content.get("example"):
                if not isinstance(example, str):
                    example = orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
                return f"<h3>{title}</h3><pre>{escape(example.strip())}</pre>"
        return ""

    def kind(self, schema: Schema) -> str:
        """Say in a few words what a schema takes."""
        if "$ref" in schema:
            found = self.referred(schema)
            if "properties" in found:
                return f"{{{', '.join(found['properties'])}}}"
            return self.kind(found)
        if "items" in schema:
            return f"any number of: {self.kind(schema['items'])}"
        if "enum" in schema:
            known = [str(one) for one in schema["enum"]]
            return (
                " | ".join(known) if len(known) <= 8 else f"one of {len(known)} names"
            )
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return " or ".join(self.kind(one) for one in choices[:4])
        return str(
            schema.get("format") or schema.get("const") or schema.get("type", "")
        )

    def referred(self, schema: Schema) -> Schema:
        name = schema["$ref"].rpartition("/")[2]
        found: Schema = self.spec["components"]["schemas"][name]
        return found
