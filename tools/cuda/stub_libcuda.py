"""Writes the source of a libcuda.so.1 in which every function answers that there is no device.

cuDNN opens the driver's library before it compiles kernels at run time. On a machine without a driver, plans for a card that is only
described can be built all the same when this stands in for it. It has every name that cuda.h declares or that stands in one of the
libraries, since a name that is looked up and not found ends the compilation:

    stub_libcuda.py cuda.h libcudnn_engines_runtime_compiled.so.9 > stub.c; cc -shared -fPIC -o libcuda.so.1 stub.c
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
NAME = re.compile(rb"(?<![A-Za-z0-9_])(cu[A-Z][A-Za-z0-9_]{2,80})(?![A-Za-z0-9_])")
# What later versions and the per-thread stream variants append; cuda.h hides some behind macros.
SUFFIXES = ("", "_v2", "_v3", "_v4", "_ptds", "_ptsz", "_v2_ptds", "_v2_ptsz", "_v3_ptsz")


def stub(texts: list[bytes]) -> str:
    """The C source for all functions of the driver whose names stand in the texts."""
    found = {name.decode() for text in texts for name in NAME.findall(text)}
    names = sorted({name + suffix for name in found for suffix in SUFFIXES})
    return "".join(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in names)


if __name__ == "__main__":
    sys.stdout.write(stub([Path(path).read_bytes() for path in sys.argv[1:]]))
