"""Where the public test data lies: check lists, token fixtures, vectors.

`METACORTEX_SHARED` names the folder; without it, `shared` beside the repository.
"""

import json
import os
from pathlib import Path
from typing import Any

SHARED = Path(
    os.environ.get("METACORTEX_SHARED")
    or Path(__file__).resolve().parents[2] / "shared"
)


def data(name: str) -> str:
    """Return a text file of the data; where it is absent, tests fail, not skip."""
    return (SHARED / "data" / name).read_text(encoding="utf-8")


def vectors(name: str) -> Any:
    """Return a JSON file of the vectors."""
    return json.loads(data(f"vectors/{name}"))
