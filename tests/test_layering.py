"""Fails on an import that docs/architecture.md, section "Who may import whom", forbids: in Python and in native/."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "native"

# In modules below the first, none of the second (with everything below it).
PYTHON_FORBIDDEN = {
    "darknet_bridge": ("gui", "tkinter", "_tkinter", "ttkbootstrap", "tkinterdnd2", "peewee", "playhouse", "matplotlib", "torch"),
    "darknet_bridge.formats": (
        "darknet_bridge.recipes",
        "darknet_bridge.training",
        "darknet_bridge.network",
        "darknet_bridge._lib",
        "ctypes",
        "subprocess",
    ),
    "gui.core": (
        "tkinter",
        "ttkbootstrap",
        "PIL.ImageTk",
        "peewee",
        "playhouse",
        "gui.tk",
        "gui.widgets",
        "gui.screens",
        "gui.app",
    ),
    "gui.cli": (
        "tkinter",
        "ttkbootstrap",
        "PIL.ImageTk",
        "peewee",
        "playhouse",
        "gui.store",
        "gui.tk",
        "gui.widgets",
        "gui.screens",
    ),
    "gui.store": ("tkinter", "ttkbootstrap", "PIL.ImageTk", "gui.tk", "gui.widgets", "gui.screens", "gui.app"),
    "gui.tk": ("peewee", "playhouse", "gui.store", "gui.core", "gui.widgets", "gui.screens", "gui.app"),
    "gui.widgets": ("peewee", "playhouse", "gui.store", "gui.core", "gui.screens", "gui.app", "ctypes", "subprocess"),
    "gui.screens": ("peewee", "playhouse", "gui.store", "gui.app", "ctypes", "subprocess"),
}
# The one module that knows the C interface, and who builds structs for it.
CTYPES_ALLOWED = {"darknet_bridge._lib", "darknet_bridge.network"}

# Folders of native/src, lowest first: each may include its own level's and lower ones, but see SRC_FORBIDDEN.
SRC_LEVELS = (("core", "math"), ("backend", "parallel"), ("data", "layers", "model"), ("infer",), ("train",), ("api",))
SRC_FORBIDDEN = {
    "data": ("backend", "layers", "model", "parallel"),
    "math": ("core",),
    "backend": ("parallel",),
    "parallel": ("backend",),
}
# A back end sees the line it implements, arithmetic and errors: no layers, cfgs or files.
BACKEND_ALLOWED = (
    "backend/backend.h",
    "backend/host_backend.h",
    "backend/picture_renderer.h",
    "core/own_folder.h",
    "core/status.h",
    "core/threads.h",
    "math/",
)
NAMES_BACKENDS = {"src/backend/registry.cpp", "src/backend/cuda_door.cpp"}
CUDA_WORD = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b.*(?:CUDA|NVCC|CUDNN)", re.M | re.I)
CUDA_IN = {"src/math/host_device.h"}  # makes one text for both compilers
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)


def below(module: str, parent: str) -> bool:
    return module == parent or module.startswith(parent + ".")


def python_files(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def module_of(file: Path, root: Path = ROOT) -> str:
    parts = list(file.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, module: str, is_package: bool) -> Iterator[str]:
    """Every imported module, with relative names resolved; also those inside functions and under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + (1 if is_package else 0)]
                base = ".".join([*kept, node.module] if node.module else kept)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def python_violations(source: str, module: str, is_package: bool = False) -> list[str]:
    found = []
    for imported in imports_of(source, module, is_package):
        for parent, forbidden in PYTHON_FORBIDDEN.items():
            if below(module, parent):
                found += [f"{module} imports {imported}" for name in forbidden if below(imported, name)]
        if below(module, "darknet_bridge") and imported == "ctypes" and module not in CTYPES_ALLOWED:
            found.append(f"{module} imports ctypes")
        if below(module, "gui.screens") and below(imported, "gui.screens"):
            own, other = module.split(".")[2:3], imported.split(".")[2:3]
            if own and other and own != other and other != ["base"]:
                found.append(f"{module} imports another screen, {imported}")
    return found


def test_python_imports() -> None:
    files = python_files("darknet_bridge", "gui")
    assert len(files) > 20
    found = [
        text for file in files for text in python_violations(file.read_text("utf-8"), module_of(file), file.name == "__init__.py")
    ]
    assert found == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("darknet_bridge.formats.cfg", "import tkinter"),
        ("darknet_bridge.network", "def f():\n    from gui.core import x"),
        ("darknet_bridge.formats.cfg", "from ..training import process"),
        ("darknet_bridge.formats.cfg", "from .. import network"),
        ("darknet_bridge.images", "import ctypes"),
        ("gui.core.datasets", "from peewee import Model"),
        ("gui.core.datasets", "from ..tk import pump"),
        ("gui.store.repo_run", "import tkinter.ttk"),
        ("gui.screens.home", "from gui.store import database"),
        ("gui.screens.home", "import subprocess"),
        ("gui.screens.home", "from . import editor"),
        ("gui.screens.home", "from .editor import Editor"),
        ("gui.widgets.toast", "from ..core import records"),
        ("gui.tk.shell", "import gui.widgets.toast"),
    ],
)
def test_the_check_sees_python_violations(module: str, source: str) -> None:
    assert python_violations(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gui.app", "from .store import database\nimport tkinter"),
        ("gui.screens.home", "from ..widgets import toast\nfrom ..core import datasets\nfrom .home import x"),
        ("gui.core.training", "from darknet_bridge.training import process\nfrom ..store import repo_run"),
        ("gui.store.database", "import peewee"),
        ("darknet_bridge._lib", "import ctypes"),
    ],
)
def test_the_check_lets_through_what_is_allowed(module: str, source: str) -> None:
    assert python_violations(source, module) == []


def native_files(*folders: str) -> list[Path]:
    suffixes = {".h", ".hh", ".cpp", ".cu", ".cuh", ".inl", ".c"}
    return [file for folder in folders for file in sorted((NATIVE / folder).rglob("*")) if file.suffix in suffixes]


def level_of(folder: str) -> int | None:
    return next((index for index, level in enumerate(SRC_LEVELS) if folder in level), None)


def native_violations(path: str, text: str) -> list[str]:
    """path: below native/, with forward slashes."""
    found = []
    parts = path.split("/")
    for include in INCLUDE.findall(text):
        target = include.split("/")[0]
        if include == "Python.h" or target in ("pybind11", "nanobind"):
            found.append(f"{path} includes {include}: nothing in native/ knows Python")
        if parts[0] == "backends":
            own = target == parts[1]
            src = level_of(target) is not None or target in ("cpu", "reference", "cuda")
            if src and not own and not any(include.startswith(allowed) for allowed in BACKEND_ALLOWED):
                found.append(f"{path} includes {include}")
        if parts[0] == "src":
            own_level, target_level = level_of(parts[1]), level_of(target)
            if own_level is None:
                found.append(f"{path}: a folder of src/ that this test does not know")
                break
            if target_level is not None and target != parts[1] and target_level > own_level:
                found.append(f"{path} includes {include}")
            if target in SRC_FORBIDDEN.get(parts[1], ()):
                found.append(f"{path} includes {include}")
            if target in ("cpu", "reference", "cuda") and path not in NAMES_BACKENDS:
                found.append(f"{path} includes {include}: a back end by its name")
    if CUDA_WORD.search(text) and not path.startswith("backends/cuda/") and path not in CUDA_IN:
        found.append(f"{path} asks for CUDA with the preprocessor")
    return found


def test_native_includes() -> None:
    files = native_files("src", "backends", "mpi", "tools", "include")
    assert len(files) > 50
    found = []
    for file in files:
        found += native_violations(file.relative_to(NATIVE).as_posix(), file.read_text("utf-8"))
    assert found == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/layers/yolo.cpp", '#include "cpu/cpu_conv.h"'),
        ("src/layers/yolo.cpp", '#include "train/trainer.h"'),
        ("src/core/files.cpp", '#include "data/image.h"'),
        ("src/data/loader.cpp", '#include "model/network.h"'),
        ("src/model/network.cpp", '#  include "api/api_guard.h"'),
        ("src/new/thing.cpp", '#include "core/status.h"'),
        ("backends/cpu/cpu_conv.cpp", '#include "layers/layer.h"'),
        ("backends/cpu/cpu_conv.cpp", '#include "core/files.h"'),
        ("backends/cpu/cpu_conv.cpp", '#include "reference/reference_conv.h"'),
        ("src/model/network.cpp", "#ifdef DK_WITH_CUDA"),
        ("tools/darknet.cpp", "#include <Python.h>"),
    ],
)
def test_the_check_sees_native_violations(path: str, text: str) -> None:
    assert native_violations(path, text)


def test_the_check_lets_native_neighbours_be() -> None:
    assert (
        native_violations("src/layers/yolo.cpp", '#include "layers/layer.h"\n#include <vector>\n#include "model/network_def.h"')
        == []
    )
    assert (
        native_violations("backends/cuda/conv.cu", '#include "cuda/plan.h"\n#include "math/box.h"\n#if CUDA_VERSION > 12000\n')
        == []
    )
