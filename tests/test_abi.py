"""The C header and the ctypes side agree: every function, argument, struct member and constant."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from darknet_bridge import _lib, errors
from darknet_bridge.program import find_library

ROOT = Path(__file__).resolve().parents[1]
HEADER = ROOT / "native" / "include" / "darknet_bridge.h"

C_TYPES = {
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "uint32_t": ctypes.c_uint32,
    "float": ctypes.c_float,
    "dk_status": ctypes.c_int32,
    "void": None,
}
# The pointers that ctypes must not turn into Python values are void pointers there.
POINTERS = {
    "const char*": ctypes.c_char_p,
    "char*": ctypes.c_void_p,
    "char**": ctypes.POINTER(ctypes.c_void_p),
    "const void*": ctypes.c_void_p,
    "dk_network*": ctypes.c_void_p,
    "dk_network**": ctypes.POINTER(ctypes.c_void_p),
    "const int64_t*": ctypes.POINTER(ctypes.c_int64),
    "const int32_t*": ctypes.POINTER(ctypes.c_int32),
}


def header_text() -> str:
    text = re.sub(r"/\*.*?\*/", " ", HEADER.read_text("utf-8"), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"^#(?!define DK_\w+ \d).*$", "", text, flags=re.M))


def ctype_of(text: str) -> object:
    """The ctypes type of a C type as the header writes it."""
    text = re.sub(r"\s*\*", "*", text.strip())
    if text in C_TYPES:
        return C_TYPES[text]
    if text in POINTERS:
        return POINTERS[text]
    name, stars = re.fullmatch(r"(?:const )?(\w+)(\**)", text).groups()  # type: ignore[union-attr]
    found: object = _lib.STRUCTS[name]
    for _ in stars:
        found = ctypes.POINTER(found)  # type: ignore[arg-type]
    return found


def declarations() -> dict[str, tuple[object, list[object]]]:
    found = {}
    for result, name, arguments in re.findall(r"DK_API ([\w ]+\**) ?(dk_\w+)\(([^)]*)\);", header_text()):
        types = [] if arguments.strip() == "void" else [re.sub(r"\w+$", "", part.strip()) for part in arguments.split(",")]
        found[name] = (ctype_of(result), [ctype_of(kind) for kind in types])
    return found


def members(body: str) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for line in filter(None, (part.strip() for part in body.split(";"))):
        kind, names = re.fullmatch(r"((?:const )?\w+\*?) ([\w, ]+)", line).groups()  # type: ignore[union-attr]
        for name in names.split(","):
            found.append((name.strip(), ctypes.c_void_p if kind == "const dk_detection*" else ctype_of(kind)))
    return found


def test_every_function_has_the_headers_types() -> None:
    declared = declarations()
    assert len(declared) == 13
    assert set(declared) == set(_lib.SIGNATURES)
    for name, signature in declared.items():
        assert signature == _lib.SIGNATURES[name], name


def test_every_struct_has_the_headers_members() -> None:
    structs = dict(re.findall(r"typedef struct \w+ \{ ([^}]*)\} (\w+);", header_text()))
    declared = {name: members(body) for body, name in structs.items()}
    assert set(declared) == set(_lib.STRUCTS)
    for name, fields in declared.items():
        assert list(_lib.STRUCTS[name]._fields_) == fields, name
        assert name == "dk_detection" or fields[0] == ("struct_size", ctypes.c_uint32), "a struct begins with its size"


def test_constants() -> None:
    defined = {name: int(value) for name, value in re.findall(r"#define DK_(\w+) (\d+)", header_text())}
    statuses = {name.removeprefix("STATUS_"): value for name, value in vars(errors).items() if name.startswith("STATUS_")}
    numbers = {name: value for name, value in vars(_lib).items() if name.startswith(("PIXELS_", "PRECISION_"))}
    assert defined == statuses | numbers | {"ABI_VERSION": _lib.ABI_VERSION}


def test_the_compiler_sees_the_same_sizes_and_the_header_is_c(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    prints = "".join(f'  printf("{name} %zu\\n", sizeof({name}));\n' for name in _lib.STRUCTS)
    for name, struct in _lib.STRUCTS.items():
        prints += "".join(f'  printf("{name}.{m} %zu\\n", offsetof({name}, {m}));\n' for m, *_ in struct._fields_)
    source = tmp_path / "sizes.c"
    source.write_text(
        f'#include <stddef.h>\n#include <stdio.h>\n#include "darknet_bridge.h"\nint main(void) {{\n{prints}  return 0;\n}}\n'
    )
    command = [
        compiler,
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-pedantic",
        "-Werror",
        f"-I{HEADER.parent}",
        str(source),
        "-o",
        str(tmp_path / "sizes"),
    ]
    subprocess.run(command, check=True)
    lines = subprocess.run([str(tmp_path / "sizes")], capture_output=True, text=True, check=True).stdout.split("\n")
    sizes = dict(line.split() for line in lines if line)
    for name, struct in _lib.STRUCTS.items():
        assert int(sizes[name]) == ctypes.sizeof(struct)
        for member, *_ in struct._fields_:
            assert int(sizes[f"{name}.{member}"]) == getattr(struct, member).offset


def test_the_library_shows_the_interface_and_nothing_else() -> None:
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("no nm")
    listed = subprocess.run([nm, "-D", "--defined-only", str(find_library())], capture_output=True, text=True, check=True).stdout
    shown = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    assert {name for name in shown if not name.startswith("__")} == set(_lib.SIGNATURES)


def test_the_library_has_this_version() -> None:
    assert _lib.library().dk_abi_version() == _lib.ABI_VERSION
    assert re.fullmatch(r"\d+\.\d+\.\d+", _lib.library().dk_version().decode())


def test_bad_arguments_get_a_status_and_a_message() -> None:
    library = _lib.library()
    text = ctypes.c_void_p(1)
    assert library.dk_inspect_json(None, None, ctypes.byref(text)) == errors.STATUS_BAD_INPUT
    assert library.dk_last_error() == b"cfg_path is NULL"
    assert text.value is None
    assert library.dk_devices_json(None) == errors.STATUS_BAD_INPUT
    assert library.dk_network_info_json(None, ctypes.byref(text)) == errors.STATUS_BAD_INPUT
    assert library.dk_network_detect(None, None, 0, None, None) == errors.STATUS_BAD_INPUT
    library.dk_network_close(None)
    library.dk_detections_free(None)
    library.dk_pixels_free(None)
    library.dk_string_free(None)
    options = _lib.NetworkOptions()
    options.struct_size = 0
    handle = ctypes.c_void_p()
    assert library.dk_network_open(b"x", b"y", ctypes.byref(options), ctypes.byref(handle)) == errors.STATUS_BAD_INPUT
    assert b"struct_size" in library.dk_last_error()
    assert library.dk_devices_json(ctypes.byref(text)) == errors.STATUS_OK
    assert library.dk_last_error() == b"", "success clears the message"
    library.dk_string_free(text)
