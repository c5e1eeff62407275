"""Writes the source of a libcuda.so.1 without a device, for building cuDNN's plans on a machine without a driver.

cuDNN opens the driver's library when it compiles kernels at run time, loads what it compiled, and asks how many blocks of it
fit a multiprocessor. This stand-in has every name that cuda.h declares or that stands in the given library; it takes modules,
finds any function in them, and answers everything else with "no device":

    stub_libcuda.py cuda.h libcudnn_engines_runtime_compiled.so.9 > stub.c
    cc -shared -fPIC -o libcuda.so.1 stub.c
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
NAME = re.compile(rb"(?<![A-Za-z0-9_])(cu[A-Z][A-Za-z0-9_]{2,80})(?![A-Za-z0-9_])")
# What later versions and the per-thread stream variants append; cuda.h hides some behind macros.
SUFFIXES = ("", "_v2", "_v3", "_v4", "_ptds", "_ptsz", "_v2_ptds", "_v2_ptsz", "_v3_ptsz")
# Parameters and body of what plan building gets an answer from. A handle is any address that is not null.
ANSWERS = {
    "cuInit": ("unsigned flags", ""),
    "cuDriverGetVersion": ("int *version", "*version = 13000;"),
    "cuDeviceGetCount": ("int *count", "*count = 0;"),
    "cuCtxGetCurrent": ("void **context", "*context = handle;"),
    "cuGetErrorName": ("int error, const char **text", '*text = "no device";'),
    "cuGetErrorString": ("int error, const char **text", '*text = "no device";'),
    "cuModuleLoadData": ("void **module, const void *image", "*module = handle;"),
    "cuModuleLoadDataEx": ("void **module, const void *image, unsigned n, int *options, void **values", "*module = handle;"),
    "cuModuleGetFunction": ("void **function, void *module, const char *name", "*function = handle;"),
    "cuModuleUnload": ("void *module", ""),
    "cuFuncGetAttribute": ("int *value, int attribute, void *function", "*value = 0;"),
    "cuFuncSetAttribute": ("void *function, int attribute, int value", ""),
    "cuOccupancyMaxActiveBlocksPerMultiprocessor": (
        "int *blocks, void *function, int threads, unsigned long bytes",
        "*blocks = 1;",
    ),
    "cuOccupancyMaxActiveClusters": ("int *clusters, void *function, const void *config", "*clusters = 66;"),
    "cuOccupancyMaxPotentialClusterSize": ("int *size, void *function, const void *config", "*size = 8;"),
}


def stub(texts: list[bytes]) -> str:
    """The C source for all functions of the driver whose names stand in the texts."""
    found = {name.decode() for text in texts for name in NAME.findall(text)}
    names = sorted({name + suffix for name in found for suffix in SUFFIXES} - ANSWERS.keys())
    lines = ["static char place[64], *handle = place;"]
    lines += [f"int {name}({parameters}) {{ {body} return 0; }}" for name, (parameters, body) in ANSWERS.items()]
    lines += [f"int {name}(void) {{ return {NO_DEVICE}; }}" for name in names]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(stub([Path(path).read_bytes() for path in sys.argv[1:]]))
