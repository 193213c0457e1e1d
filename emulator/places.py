"""Where files of ours go when nobody says: the state directory.

Source: the XDG base directory specification; a relative path in the variable is to be ignored.
"""

from __future__ import annotations

import os
from pathlib import Path


def state_directory() -> Path:
    """`$XDG_STATE_HOME/dhemu`, by default `~/.local/state/dhemu`."""
    asked = os.environ.get("XDG_STATE_HOME", "")
    base = Path(asked) if os.path.isabs(asked) else Path.home() / ".local" / "state"
    return base / "dhemu"
