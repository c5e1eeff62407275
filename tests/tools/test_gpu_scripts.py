"""./studio gpu-check and gpu-bench without a card: every part runs on the processor, says so, and a fault is not overlooked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools" / "gpu"
NEEDED = ("darknet", "dk_tests", "dk_bench_pictures")
DRY = "no card: processor, dry run"
SECONDS = 900  # far more than any of this takes

FAKE_SANITIZER = """#!/bin/sh
# compute-sanitizer --tool TOOL --log-file LOG PROGRAM...: runs the program, and reports what the test wants.
tool=$2 log=$4
shift 4
"$@" || exit
printf '%s' "$FAKE_REPORT" >"$log"
echo "========= ERROR SUMMARY: 0 errors" >>"$log"
"""


@pytest.fixture(scope="module")
def build() -> Path:
    """The newest tree that has the programs: build/release under ./studio test."""
    trees = [path.parent for path in (ROOT / "build").glob("*/dk_bench_pictures")]
    trees = [tree for tree in trees if all((tree / name).is_file() for name in NEEDED)]
    if not trees:
        pytest.skip("the native programs are not built (./studio test builds them)")
    return max(trees, key=lambda tree: (tree / "darknet").stat().st_mtime)


def script(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def start(program: str | Path, *arguments: str | Path, path: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    values = {**os.environ, **env}
    if path:
        values["PATH"] = f"{path}{os.pathsep}{values['PATH']}"
    command = [sys.executable, str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=values, timeout=SECONDS, check=False)


def alive(pid: int) -> bool:
    """Neither gone nor waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def states(results: Path) -> dict[str, str]:
    return {part["name"]: part["state"] for part in json.loads(results.read_text("utf-8"))["parts"]}


def parts_of(results: Path) -> dict[str, dict[str, Any]]:
    return {part["name"]: part for part in json.loads(results.read_text("utf-8"))["parts"]}


def assert_honest(printed: str, results: Path) -> None:
    """Every table says what it was made on, and the tables stand behind everything else."""
    told = json.loads(results.read_text("utf-8"))
    assert told["dry_run"] is True
    assert told["device"] == DRY
    titles = [table["title"] for part in told["parts"] for table in part["tables"]]
    assert titles
    assert all(title.endswith(DRY) for title in titles)
    ended = printed.index(titles[0])
    assert all(printed.index(title) >= ended for title in titles)
    assert printed.rindex(" ...\n") < ended


def test_the_check_runs_every_part_on_the_processor(build: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    script(tools, "compute-sanitizer", FAKE_SANITIZER)
    done = start(TOOLS / "check.py", "--dry-run", "--build", build, "--out", tmp_path / "out", path=tools)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "out" / "gpu-check.json"
    assert_honest(done.stdout, results)
    assert set(states(results).values()) <= {"ok", "skipped"}
    parts = parts_of(results)
    assert parts["curves"]["state"] == "ok" or "no bf16" in parts["curves"]["words"]
    for name in ("operations", "golden", "resume", "repeat", "memory", "memcheck", "racecheck", "initcheck"):
        assert parts[name]["state"] == "ok", parts[name]
    emulated = parts["operations"]["tables"][-1]
    assert "CUDA kernels on the processor" in emulated["title"]
    assert {row[0] for row in emulated["rows"]} >= {"conv forward", "conv backward data", "conv backward weights", "max pool"}
    assert all(float(row[1]) <= float(row[2]) and float(row[3]) <= float(row[4]) for row in emulated["rows"])
    assert {row[4] for name in ("resume", "repeat") for row in parts[name]["tables"][0]["rows"]} == {"yes"}


def test_the_measurement_runs_every_part_on_the_processor(build: Path, tmp_path: Path) -> None:
    done = start(TOOLS / "bench.py", "--dry-run", "--build", build, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "out" / "gpu-bench.json"
    assert_honest(done.stdout, results)
    parts = parts_of(results)
    assert all(part["state"] == "ok" for name, part in parts.items() if name != "ceilings"), parts
    for name in ("step-yolov4-608", "step-yolov3-tiny-416", "step-yolov4-416"):
        assert len(parts[name]["values"]["ours"]["seconds"]) == 9  # three turns of three steps
    layers = parts["layers-yolov3-tiny-416"]["values"]["layers"]
    assert len(layers) == 24
    first = layers[0]["forward"]
    assert first["gflop"] == pytest.approx(2 * 4 * 96 * 96 * 8 * 9 * 3 / 1e9)  # 4 images, 8 filters of 3x3x3
    assert first["roof_ms"] > 0
    assert len(parts["training-yolov4-608"]["values"]["seconds"]) == 12


def test_a_race_in_a_kernel_of_ours_fails_the_check(build: Path, tmp_path: Path) -> None:
    script(tmp_path / "tools", "compute-sanitizer", FAKE_SANITIZER)
    report = "========= COMPUTE-SANITIZER\n========= Error: Race reported between Write access at dk::cuda::sums(float*)\n"
    options = ("--dry-run", "--only", "racecheck", "--build", build, "--out", tmp_path / "out")
    done = start(TOOLS / "check.py", *options, path=tmp_path / "tools", FAKE_REPORT=report)
    assert done.returncode == 1
    assert "racecheck failed: 1 reports" in done.stdout
    assert "dk::cuda::sums" in done.stdout
    elsewhere = report.replace("dk::cuda::sums", "cudnn::sums")
    done = start(TOOLS / "check.py", *options, path=tmp_path / "tools", FAKE_REPORT=elsewhere)
    assert done.returncode == 0, done.stdout


def build_with(build: Path, folder: Path, name: str, text: str) -> Path:
    """The build with one program replaced by a script."""
    folder.mkdir()
    for other in set(NEEDED) - {name}:
        (folder / other).symlink_to(build / other)
    script(folder, name, text)
    return folder


FAILING_TESTS = """#!/bin/sh
for word in "$@"; do case $word in -o=*) report=${word#-o=};; esac; done
cat >"$report" <<END
<testsuites><testsuite>
<testcase classname="a/test_nets.cpp" name="a net" time="1"><failure message="0.5 is not 0.4"/></testcase>
</testsuite></testsuites>
END
exit 1
"""


def test_a_failing_native_test_fails_the_check(build: Path, tmp_path: Path) -> None:
    fake = build_with(build, tmp_path / "build", "dk_tests", FAILING_TESTS)
    done = start(TOOLS / "check.py", "--dry-run", "--only", "golden", "--build", fake, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "a net: 0.5 is not 0.4" in done.stdout


LITTLE_MEMORY = """#!/bin/sh
case "$*" in *"-batch 4 "*) echo "error: no memory for 9 MB" >&2; exit 12;; esac
exec {program} "$@"
"""


def test_what_does_not_fit_is_measured_with_half_as_many_pictures(build: Path, tmp_path: Path) -> None:
    fake = build_with(build, tmp_path / "build", "darknet", LITTLE_MEMORY.format(program=build / "darknet"))
    parts = "step-yolov3-tiny-416,layers-yolov3-tiny-416"
    done = start(TOOLS / "bench.py", "--dry-run", "--only", parts, "--build", fake, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    for part in parts_of(tmp_path / "out" / "gpu-bench.json").values():
        assert all("narrow, 96, batch 2," in table["title"] for table in part["tables"])


def test_a_card_that_cannot_be_used_is_no_dry_run(build: Path, tmp_path: Path) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a card")
    script(tmp_path / "tools", "nvidia-smi", "#!/bin/sh\nexit 0\n")
    done = start(TOOLS / "check.py", "--build", build, "--out", tmp_path / "out", path=tmp_path / "tools")
    assert done.returncode == 1
    assert "a card is here, but the engine can't use it: this build has no CUDA back end" in done.stderr


FAULTS = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {tools!r})
from parts import *
def fine(_): return Outcome([Table("figures", ["a", "b"], [["x", "1"]])])
def wrong(_): raise Failure("two is not three")
def crash(_): os.kill(os.getpid(), signal.SIGSEGV)
def noise(_): print("before"); raise ValueError("a bug")
def slow(_):
    if os.fork() == 0: Path({pid!r}).write_text(str(os.getpid()))
    time.sleep(600)
def away(_): raise Skip("no such thing here")
PARTS = [Part(f.__name__, f.__name__, f, 0, 3 if f is slow else 60) for f in (fine, wrong, crash, noise, away, slow)]
PARTS += [Part("late", "late", fine, 1000, 1000)]
args = arguments("").parse_args()
if args.part:
    sys.exit(work_as_child(chosen(PARTS, args.part)[0], None, args.out / "parts" / f"{{args.part}}.json"))
until = time.monotonic() + args.limit_s
lines = run_parts(chosen(PARTS, args.only), Path(__file__), ["--out", str(args.out)], args.out / "parts", until)
sys.exit(conclude(lines, "closing", args.out / "out.json", {{}}))
"""


def test_a_part_may_fail_in_any_way_and_the_others_go_on(tmp_path: Path) -> None:
    child = tmp_path / "pid"
    program = script(tmp_path, "program.py", FAULTS.format(tools=str(TOOLS), pid=str(child)))
    done = start(program, "--out", tmp_path, "--limit-s", "500")
    assert done.returncode == 1
    found = states(tmp_path / "out.json")
    assert found.pop("fine") == "ok"
    assert found.pop("late") == "not run"
    assert found.pop("away") == "skipped"
    assert set(found.values()) == {"failed"}
    for words in (
        "wrong failed: two is not three",
        "noise failed: it ended with 1: ValueError: a bug",
        "slow failed: ended after 3 s",
        "crash failed: it ended with -11",
        "late not run: ",
        "away skipped: no such thing here",
    ):
        assert words in done.stdout
    assert not alive(int(child.read_text()))  # what the part had started has ended too
    assert start(program, "--out", tmp_path, "--only", "fine,away").returncode == 0
    assert start(program, "--out", tmp_path, "--only", "fine,late", "--limit-s", "500").returncode == 2
    assert start(program, "--out", tmp_path, "--only", "slow", "--limit-s", "4.5").returncode == 1
    assert "no part is called nonsense" in start(program, "--only", "nonsense").stderr


def test_the_pack_is_all_that_the_build_asks_for(tmp_path: Path) -> None:
    """In an empty environment CMake finds everything in the pack; that it compiles, a machine shows that has only the pack."""
    if not (Path(sys.prefix) / "include" / "dnnl.hpp").is_file():
        pytest.skip("oneDNN's headers are not in this environment (./studio setup installs them)")
    pack, tree = tmp_path / "pack.tar.xz", tmp_path / "tree"
    done = start(TOOLS / "pack.py", "--environment", sys.prefix, "--out", pack)
    assert done.returncode == 0, done.stderr
    assert pack.stat().st_size < 16 << 20
    command = [sys.executable, str(TOOLS / "build.py"), "--pack", str(pack), "--out", str(tree), "--configure"]
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    cache = (tree / "CMakeCache.txt").read_text()
    for variable in (
        "ONEDNN_LIBRARY",
        "ONEDNN_INCLUDE",
        "JPEG_INCLUDE_DIR",
        "PNG_PNG_INCLUDE_DIR",
        "ZLIB_INCLUDE_DIR",
        "DOCTEST_INCLUDE",
    ):
        (line,) = [line for line in cache.splitlines() if line.startswith(f"{variable}:")]
        assert line.split("=", 1)[1].startswith(str(tree / "pack")), line


def test_without_a_pack_the_build_says_where_it_comes_from(tmp_path: Path) -> None:
    done = start(TOOLS / "build.py", "--pack", tmp_path / "none.tar.xz", "--out", tmp_path / "tree")
    assert done.returncode == 1
    assert "./studio gpu-pack makes it" in done.stderr
