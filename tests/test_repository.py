"""What must agree between files that know nothing of each other: versions, dependencies, and the commands of ./studio."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest

import darknet_bridge

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    return parser


def studio(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "studio"), *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_one_version(config: configparser.ConfigParser) -> None:
    version = config["metadata"]["version"]
    assert darknet_bridge.__version__ == version
    assert f"VERSION {version} " in (ROOT / "native" / "CMakeLists.txt").read_text("utf-8")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_building_a_wheel_asks_for_the_onednn_that_runs(config: configparser.ConfigParser) -> None:
    needed = [line for line in config["options"]["install_requires"].splitlines() if line.startswith("onednn")]
    assert len(needed) == 1
    assert f'"{needed[0]}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_every_foreign_dependency_is_pinned_and_licensed() -> None:
    folders = [path for path in (ROOT / "third_party").iterdir() if path.is_dir()]
    assert {path.name for path in folders} == {"onednn", "libjpeg-turbo", "libpng", "doctest", "cudnn", "mpi"}
    for folder in folders:
        text = (folder / "README.md").read_text("utf-8")
        assert "| pin |" in text
        assert "| licence |" in text
        (module,) = folder.glob("Find*.cmake")
        (found_by,) = re.findall(r"find_package_handle_standard_args\((\w+)", module.read_text("utf-8"))
        assert re.search(rf"find_package\({found_by} \d", (ROOT / "native" / "CMakeLists.txt").read_text("utf-8"))


def test_the_script_is_plain_sh_and_knows_its_commands() -> None:
    assert os.access(ROOT / "studio", os.X_OK)
    assert subprocess.run(["sh", "-n", str(ROOT / "studio")], check=False).returncode == 0
    told = studio("help")
    assert told.returncode == 0
    for command in ("demo", "run", "test", "check", "bench", "gpu-check", "fuzz", "clean"):
        assert f"./studio {command}" in told.stdout


def test_the_script_refuses_what_it_does_not_know() -> None:
    refused = studio("tset")
    assert refused.returncode != 0
    assert "unknown command 'tset'" in refused.stderr
    assert studio("fuzz", "soon").returncode != 0


def test_ci_runs_what_a_person_types() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert lines[-1] == "exec ./studio test"
