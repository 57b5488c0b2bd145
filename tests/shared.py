"""Where the material shared between projects lies (captures, vectors, peers), if it is there at all."""

from __future__ import annotations

import os
from pathlib import Path


def shared_dir() -> Path | None:
    """The folder named by PLUGBENCH_SHARED, or `shared` beside the checkout; None when there is none."""
    named = os.environ.get("PLUGBENCH_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    return folder if folder.is_dir() else None
