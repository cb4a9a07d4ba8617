"""A stand-in for `python -m metacortex`, small enough to start in a blink.

Its data folder says how to behave, and learns what happened.
"""

import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType

FOLDER = Path(os.environ["METACORTEX_DATA_DIR"])


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test reads the lines."""


def note(line: str) -> None:
    with (FOLDER / "history").open("a") as history:
        history.write(f"{line}\n")


def on_term(number: int, frame: FrameType | None) -> None:
    note(f"{sys.argv[1]} stopped")
    sys.exit(0)


def main() -> None:
    name = sys.argv[1]
    note(f"{name} {os.getpid()}")
    if name == "token":
        print("a.b.c")
    elif name == "migrate":
        time.sleep(float(os.environ.get("FAKE_MIGRATE_S", "0")))
        sys.exit(int(os.environ.get("FAKE_MIGRATE_CODE", "0")))
    else:
        stubborn = os.environ.get("FAKE_STUBBORN") == name
        signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn else on_term)
        print(f"{name} says hello", flush=True)
        serve(name)


def serve(name: str) -> None:
    if name == "api":
        port = int(os.environ["METACORTEX_PORT"])
        HTTPServer(("127.0.0.1", port), Ready).serve_forever()
    time.sleep(60)


if __name__ == "__main__":
    main()
