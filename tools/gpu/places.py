"""Where things are on a machine that nobody prepared: Python's packages, the card."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def package_folders() -> list[Path]:
    """Where this Python, and the one called python3, look for packages: NVIDIA's wheels may lie there."""
    folders = list(sys.path)
    other = shutil.which("python3")
    if other:
        look = [other, "-c", "import sys; print(*sys.path, sep='\\n')"]
        folders += subprocess.run(look, capture_output=True, text=True, check=False).stdout.splitlines()
    return [Path(folder) for folder in dict.fromkeys(folders) if folder]


def card_is_here() -> bool:
    tool = shutil.which("nvidia-smi")
    return bool(tool) and subprocess.run([str(tool), "-L"], capture_output=True, check=False).returncode == 0
