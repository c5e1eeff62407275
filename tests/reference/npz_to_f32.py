"""Turn .npz figures into what the native tests read: NAME.f32 (raw little-endian float32, arrays one after the other) and
NAME.arrays.txt (one line per array: name, offset in floats, dimensions).

    python tests/reference/npz_to_f32.py tests/golden/yolo_loss_mse.npz ...
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def convert(source: Path) -> None:
    """Write the two files beside `source`."""
    lines: list[str] = []
    offset = 0
    with np.load(source) as arrays, source.with_suffix(".f32").open("wb") as flat:
        for name in sorted(arrays.files):
            values = np.ascontiguousarray(arrays[name], dtype="<f4")
            flat.write(values.tobytes())
            lines.append(" ".join([name, str(offset), *map(str, values.shape)]))
            offset += values.size
    source.with_suffix(".arrays.txt").write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        convert(Path(argument))
