"""The web app: its built files, and its page for whatever the browser routes itself.

Files are read and compressed once, at start. Hashed assets are cached for ever, the
page never. The page is the last resort of the 404 handler, not a catch-all route, so
that routes and applications which others add still work.
"""

import gzip
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import parsing

FOLDER = Path(__file__).parents[1] / "web"
"""Where the build is; `web/` holds the sources."""

ASSETS = "/assets/"
FOR_EVER = "public, max-age=31536000, immutable"  # a year, the most that RFC 9111 wants
NOT_OURS = ("/api", "/health", "/metrics", "/docs", "/dev", "/webhooks")
"""Paths of the service; what is not found there is an error, not a page."""

COMPRESSIBLE = ("text/", "application/json", "image/svg+xml", "application/manifest")


def content_policy(clerk_host: str | None = None) -> str:
    """Return the policy of the page; Clerk's hosts are allowed where it is used."""
    clerk = [f"https://{clerk_host}"] if clerk_host else []
    captcha = ["https://challenges.cloudflare.com"] if clerk_host else []
    images = ["https://img.clerk.com"] if clerk_host else []
    workers = ["blob:"] if clerk_host else []
    sources: Mapping[str, list[str]] = {
        "default-src": ["'none'"],
        "script-src": ["'self'", *clerk, *captcha],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", *images],
        "font-src": ["'self'"],
        "connect-src": ["'self'", *clerk],
        "worker-src": ["'self'", *workers],
        "manifest-src": ["'self'"],
        "frame-src": captcha or ["'none'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
    }
    return "; ".join(f"{name} {' '.join(values)}" for name, values in sources.items())


@dataclass(frozen=True, slots=True)
class File:
    """A file of the build, compressed if that makes it smaller."""

    content: bytes
    compressed: bytes | None
    media_type: str
    tag: str


class WebApp:
    """The build in memory; `exists` is false where none was made."""

    def __init__(self, folder: Path = FOLDER, clerk_host: str | None = None) -> None:
        self._files = {
            "/" + path.relative_to(folder).as_posix(): _file(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.policy = content_policy(clerk_host)

    @property
    def exists(self) -> bool:
        """Whether there is a page to serve."""
        return "/index.html" in self._files

    def find(self, request: Request) -> Response | None:
        """Return the file or the page for a GET that nothing else answers."""
        path = request.scope["path"]
        if request.method not in ("GET", "HEAD") or not self.exists:
            return None
        if (file := self._files.get(path)) is not None and path != "/index.html":
            return self._answer(request, path, file)
        if _is_ours(path) or path.startswith(ASSETS):
            return None
        if "text/html" not in request.headers.get("accept", ""):
            return None
        return self.page(request)

    def page(self, request: Request) -> Response:
        """Return the page."""
        return self._answer(request, "/index.html", self._files["/index.html"])

    def _answer(self, request: Request, path: str, file: File) -> Response:
        hashed = path.startswith(ASSETS)
        headers = {
            "Cache-Control": FOR_EVER if hashed else "no-store",
            "Content-Security-Policy": self.policy,
            "Vary": "Accept-Encoding",
            "ETag": file.tag,
        }
        if hashed and parsing.matches(request, file.tag):
            return Response(status_code=304, headers=headers)
        body = file.content
        accepted = request.headers.get("accept-encoding", "")
        if file.compressed is not None and "gzip" in accepted:
            body, headers["Content-Encoding"] = file.compressed, "gzip"
        return Response(body, media_type=file.media_type, headers=headers)


def _is_ours(path: str) -> bool:
    return any(path == one or path.startswith(one + "/") for one in NOT_OURS)


def _file(path: Path) -> File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    compressed = None
    if media_type.startswith(COMPRESSIBLE) or "javascript" in media_type:
        compressed = gzip.compress(content, mtime=0)
    if compressed is not None and len(compressed) >= len(content):
        compressed = None
    tag = f'W/"{crc32(content):x}-{len(content):x}"'
    return File(content, compressed, media_type, tag)
