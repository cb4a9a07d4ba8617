"""Somebody who reads and writes all the time, in a process of their own.

Run as `python -m tests.drills.bystander URL TOKEN`; prints a line for each request:
when it began and ended, by the monotonic clock, its status, and what was asked.
"""

import sys
import time

import httpx2

PAUSE_S = 0.02  # between two requests: what one open page may ask
TIMEOUT_S = 30.0


def main(url: str, token: str) -> None:
    """Create, read and list in turn, until the process is ended."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=TIMEOUT_S) as http:
        task_id = http.post("/tasks", json={"title": "a"}).json()["data"]["id"]
        while _status(http, "GET", f"/tasks/{task_id}/history", None) != 200:
            time.sleep(PAUSE_S)  # the worker may still be starting
        asked = (
            ("POST", "/tasks", {"title": "Buy milk"}),
            ("PATCH", f"/tasks/{task_id}", {"priority": "high"}),
            ("GET", "/tasks?per_page=20", None),
            ("PATCH", f"/tasks/{task_id}", {"priority": "low"}),
            ("GET", f"/tasks/{task_id}/history", None),
        )
        while True:
            for method, path, body in asked:
                began = time.monotonic()
                status = _status(http, method, path, body)
                ended = time.monotonic()
                print(began, ended, status, method, path, flush=True)
                time.sleep(PAUSE_S)


def _status(http: httpx2.Client, method: str, path: str, body: object) -> int:
    """Return the status of an answer, 599 where there was none."""
    try:
        return http.request(method, path, json=body).status_code
    except httpx2.TransportError:
        return 599


if __name__ == "__main__":
    main(*sys.argv[1:])
