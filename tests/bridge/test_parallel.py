"""Trainings that several processes share, started by mpirun: the same bits as one, dealt out, stopped, killed, resumed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from darknet_bridge.formats import read_names
from darknet_bridge.program import find_program
from darknet_bridge.training import Done, Error, Event, Hello, Log, RunDir, RunImage, Step, create_run, parse_event
from tests.bridge.test_training import narrow_cfg

STEPS = 16
PATIENCE_S = 300
BRIDGE = (sys.executable, "-m", "darknet_bridge")
MPIRUN = shutil.which("mpirun")

pytestmark = pytest.mark.skipif(
    MPIRUN is None or not find_program().with_name("libdarknet_mpi.so").exists(),
    reason="no mpirun, or a build without MPI (Debian: libopenmpi-dev and openmpi-bin)",
)


@dataclass
class Launched:
    """A training of so many processes; 0 = a single one without mpirun."""

    run: RunDir
    processes: int
    extra: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        program = self.program or (str(find_program()),)
        command = [*program, "detector", "train", "obj.data", "net.cfg", "-json", "-run-dir", ".", "-threads", "1"]
        if self.processes:
            command = [str(MPIRUN), "--oversubscribe", "-np", str(self.processes), *command]
        # Open MPI refuses to start anything as root, which is what containers run tests as.
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        with self.run.events.open("ab") as out, self.run.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-seed", "3", *self.extra], cwd=self.run.folder, stdout=out, stderr=log, env=os.environ | root
            )

    def events(self) -> list[Event]:
        lines = self.run.events.read_bytes().splitlines(keepends=True)
        found = [parse_event(line) for line in lines if line.endswith(b"\n")]
        return [event for event in found if event is not None]

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def wait_for_step(self, at_least: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while not any(isinstance(event, Step) and event.iteration >= at_least for event in self.events()):
            assert time.monotonic() < end and self.process.poll() is None, self.run.log.read_text()
            time.sleep(0.02)

    def ranks(self) -> list[int]:
        """The pids of the processes that mpirun has started, in their order."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
                own = (folder / "cwd").resolve() == self.run.folder.resolve()
            except OSError:
                continue
            rank = next((text for text in environment if text.startswith(b"OMPI_COMM_WORLD_RANK=")), None)
            if own and rank is not None:
                found[int(rank.partition(b"=")[2])] = int(folder.name)
        return [found[rank] for rank in sorted(found)]


def make_run(folder: Path, golden: Path, steps: int = STEPS, **net: str) -> RunDir:
    cfg = narrow_cfg(golden, steps)
    cfg = replace(cfg, sections=(cfg.net.with_values(net), *cfg.layers))
    images = golden / "images"
    train = [RunImage(path) for path in sorted(images.glob("t*.png"))]
    valid = [RunImage(path) for path in sorted(images.glob("v*.png"))]
    return create_run(folder, cfg, read_names(golden / "obj.names"), train, valid).run


def finished(run: RunDir, processes: int, *extra: str, program: tuple[str, ...] = ()) -> Launched:
    launched = Launched(run, processes, extra, program)
    assert launched.wait() == 0, run.log.read_text()
    return launched


def losses(launched: Launched) -> list[tuple[int, float, float]]:
    return [(event.iteration, event.loss, event.avg_loss) for event in launched.events() if isinstance(event, Step)]


@pytest.mark.parametrize(("processes", "program"), [(2, ()), (4, BRIDGE)])
def test_one_mini_batch_each_gives_the_bits_of_one_process(
    tmp_path: Path, golden: Path, processes: int, program: tuple[str, ...]
) -> None:
    """Weights and rolling statistics, and every line of the log; the learning rate stays what it was."""
    net = {"batch": "8", "subdivisions": str(processes), "ema_alpha": "0.9"}
    one = finished(make_run(tmp_path / "one", golden, **net), 0)
    several = finished(make_run(tmp_path / "several", golden, **net), processes, program=program)
    assert several.run.final_weights.read_bytes() == one.run.final_weights.read_bytes()
    assert losses(several) == losses(one)
    hello = several.events()[0]
    assert isinstance(hello, Hello)
    assert (hello.processes, hello.net.batch, hello.net.subdivisions) == (processes, 8, processes)
    assert any(
        isinstance(event, Log) and event.text == f"{processes} processes, {8 // processes} images at a time each"
        for event in several.events()
    )
    rates = [[event.rate for event in launched.events() if isinstance(event, Step)] for launched in (one, several)]
    assert rates[0] == rates[1]


def test_several_mini_batches_each_differ_by_rounding_only(tmp_path: Path, golden: Path) -> None:
    """Two sums of two are not the sum of four to the last bit; the first step's loss is."""
    net = {"batch": "8", "subdivisions": "4"}
    one = finished(make_run(tmp_path / "one", golden, 6, **net), 0)
    two = finished(make_run(tmp_path / "two", golden, 6, **net), 2)
    assert losses(two)[0] == losses(one)[0]
    for (step, loss, average), (expected_step, expected, expected_average) in zip(losses(two), losses(one), strict=True):
        assert step == expected_step
        assert loss == pytest.approx(expected, rel=1e-5) and average == pytest.approx(expected_average, rel=1e-5)


def test_what_can_not_be_dealt_out_is_refused_with_what_can(tmp_path: Path, golden: Path) -> None:
    launched = Launched(make_run(tmp_path / "run", golden, batch="12", subdivisions="4"), 3)
    assert launched.wait() == 10
    last = launched.events()[-1]
    assert isinstance(last, Error) and last.code == 10
    assert last.text == (
        "batch=12 in 4 mini-batches can't be dealt to 3 processes evenly: 1, 2 or 4 processes would fit; "
        "so would -subdivisions 6 (2 images at a time)"
    )
    assert not list(launched.run.backup.iterdir())
    assert finished(launched.run, 3, "-subdivisions", "6").events()


def test_the_largest_mini_batch_is_chosen_for_each(tmp_path: Path, golden: Path) -> None:
    launched = finished(make_run(tmp_path / "run", golden, 3, batch="8", subdivisions="8"), 2, "-subdivisions", "auto")
    hello = launched.events()[0]
    assert isinstance(hello, Hello) and (hello.net.batch, hello.net.subdivisions) == (8, 2)


@pytest.mark.parametrize(("before", "after"), [(2, 0), (0, 2), (2, 4)])
def test_a_run_goes_on_with_another_number_of_processes(tmp_path: Path, golden: Path, before: int, after: int) -> None:
    """Stopped by the file, and resumed: as if one process had done it all."""
    whole = finished(make_run(tmp_path / "whole", golden, 300, batch="8", subdivisions=str(max(before, after))), 0)
    run = make_run(tmp_path / "halved", golden, 300, batch="8", subdivisions=str(max(before, after)))
    first = Launched(run, before)
    first.wait_for_step(5)
    run.stop.touch()
    assert first.wait() == 3, run.log.read_text()
    stopped = first.events()[-1]
    assert isinstance(stopped, Done) and stopped.reason == "stopped" and stopped.iteration < 300
    run.stop.unlink()
    second = finished(run, after, "-resume")
    starts = [event.start_iteration for event in second.events() if isinstance(event, Hello)]
    assert starts == [0, stopped.iteration]
    if max(before, after) == 2:
        assert run.final_weights.read_bytes() == whole.run.final_weights.read_bytes()


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_dies_ends_the_run(tmp_path: Path, golden: Path, victim: int) -> None:
    """With a message, nobody left waiting for it; and the checkpoint is one to go on from."""
    run = make_run(tmp_path / "run", golden, 100_000)
    launched = Launched(run, 2)
    launched.wait_for_step(120)
    pids = launched.ranks()
    assert len(pids) == 2
    os.kill(pids[victim], signal.SIGKILL)
    assert launched.wait() != 0
    assert launched.ranks() == []
    if victim == 1:
        last = launched.events()[-1]
        assert isinstance(last, Error) and re.search(rf"process 1 of 2 \(pid {pids[1]}\) has ended", last.text)
    assert re.search(r"process.*(has ended|signal 9)", run.log.read_text())
    run.stop.touch()
    again = Launched(run, 0, ("-resume",))
    assert again.wait() == 3
    starts = [event.start_iteration for event in again.events() if isinstance(event, Hello)]
    assert len(starts) == 2 and starts[1] >= 20, "at most 100 steps are lost"


def test_what_one_process_finds_wrong_ends_all_with_its_words(tmp_path: Path, golden: Path) -> None:
    """Infinite weights on the way: whichever process sees it first."""
    run = make_run(tmp_path / "run", golden, learning_rate="1000000000", burn_in="0")
    launched = Launched(run, 2)
    assert launched.wait() == 10
    last = launched.events()[-1]
    assert isinstance(last, Error) and last.code == 10
    assert re.search("no longer finite|not a finite", last.text)


def test_other_pictures_on_one_machine_are_refused(tmp_path: Path, golden: Path) -> None:
    """Each process reads its own copy of the lists: here the second one's has been changed."""
    run = make_run(tmp_path / "run", golden)
    other = make_run(tmp_path / "other", golden, batch="4")
    lines = other.train_list.read_text().splitlines()
    other.train_list.write_text("\n".join(lines[1:]) + "\n")
    script = tmp_path / "start.sh"
    script.write_text(
        f'#!/bin/sh\n[ "$OMPI_COMM_WORLD_RANK" = 0 ] || cd "{other.folder}"\n'
        f'exec "{find_program()}" detector train obj.data net.cfg\n'
    )
    script.chmod(0o755)
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(
        [str(MPIRUN), "--oversubscribe", "-np", "2", str(script)],
        cwd=run.folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=os.environ | root,
    )  # fmt: skip
    assert done.returncode == 10
    assert "process 1 of 2 has other pictures than the first one" in done.stderr


def test_without_the_library_several_processes_are_refused(tmp_path: Path, golden: Path) -> None:
    """Not one training each, over one another's files."""
    run = make_run(tmp_path / "run", golden)
    alone = tmp_path / "darknet"
    shutil.copy(find_program(), alone)
    launched = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0", "LD_LIBRARY_PATH": str(folder_of_onednn())}
    done = subprocess.run(
        [str(alone), "detector", "train", "obj.data", "net.cfg"],
        cwd=run.folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=os.environ | launched,
    )  # fmt: skip
    assert done.returncode == 11
    assert "started as one of 2 processes, but this build has no MPI" in done.stderr
    assert not list(run.backup.iterdir())


def folder_of_onednn() -> Path:
    """Where the program finds it; a copy of the program elsewhere does not."""
    said = subprocess.run(["ldd", str(find_program())], capture_output=True, text=True, check=True).stdout
    found = re.search(r"libdnnl\S* => (\S+)", said)
    assert found is not None
    return Path(found[1]).parent
