#!/usr/bin/env python3
"""Stands in for the program `darknet` in the tests of training processes: speaks the protocol, trains nothing.

How it behaves is in the environment: FAKE_STEPS, FAKE_END (done | crash | code:N | silent), FAKE_STUBBORN=1 (no heed to
`stop`), FAKE_DEAF=1 (nor to SIGTERM).
"""

import fcntl
import json
import os
import signal
import sys
import time


def say(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main() -> int:
    if os.environ.get("FAKE_DEAF"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    folder = sys.argv[sys.argv.index("-run-dir") + 1]
    lock = open(os.path.join(folder, "run.lock"), "w")  # noqa: PTH118, PTH123, SIM115
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    end = os.environ.get("FAKE_END", "done")
    if end == "silent":
        time.sleep(60)
    net = {"width": 32, "height": 32, "batch": 1, "subdivisions": 1, "classes": 1}
    say(
        event="hello", protocol=1, program="darknet", version="0", pid=os.getpid(), device="cpu", precision="f32", threads=1,
        seed=0, net=net, max_batches=9, start_iteration=0, images_train=1, images_valid=0, memory_bytes=1, argv=sys.argv[1:],
    )  # fmt: skip
    sys.stderr.write(" ".join(sys.argv[1:]) + "\n")
    done = 0
    for done in range(1, int(os.environ.get("FAKE_STEPS", "3")) + 1):
        say(
            event="step", iteration=done, loss=1, avg_loss=1, rate=0.1, seconds=0, images=done, eta_seconds=0,
            width=32, height=32, load_seconds=0,
        )  # fmt: skip
        if os.path.exists(os.path.join(folder, "stop")) and not os.environ.get("FAKE_STUBBORN"):  # noqa: PTH110, PTH118
            say(event="done", iteration=done, seconds=0, weights=None, reason="stopped")
            return 3
        time.sleep(0.005)
    if end == "crash":
        sys.stderr.write("about to crash\n")
        sys.stderr.flush()
        sys.stdout.write('{"event":"step","itera')
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if end.startswith("code:"):
        code = int(end[5:])
        say(event="error", code=code, text=f"failed with {code}")
        return code
    say(event="done", iteration=done, map=0.5, best=0.5, seconds=0, weights="backup/net_best.weights", reason="finished")
    return 0


sys.exit(main())
