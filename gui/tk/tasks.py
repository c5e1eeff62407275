"""Work beside the Tk thread: one store thread (in order) and a pool; results come back on the Tk thread.

A task that belongs to a widget (`owner`) is forgotten when the widget is destroyed. What is neither handled by the caller nor
a cancellation goes to the one handler that the application gives.
"""

from __future__ import annotations

import threading
import tkinter as tk
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from darknet_bridge.errors import CancelledError

from .pump import Pump

T = TypeVar("T")


class Progress(Protocol):
    """Handed to background work. Raises CancelledError when the task was cancelled."""

    def __call__(self, done: int, total: int, text: str = ..., /) -> None: ...


class Task(Generic[T]):
    """A piece of work on its way. Only the Tk thread may ask for `active`."""

    def __init__(self, owner: tk.Misc | None) -> None:
        self._owner = owner
        self._cancel = threading.Event()
        self.active = True

    def cancel(self) -> None:
        """Background work stops at its next progress call; work that has not begun never does."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def wanted(self) -> bool:
        """On the Tk thread: whether somebody is still there for the result."""
        if self._owner is None:
            return True
        try:
            return bool(self._owner.winfo_exists())
        except tk.TclError:
            return False


class Tasks:
    """The two kinds of threads. Build one per window; close it at the end."""

    def __init__(self, pump: Pump, failed: Callable[[BaseException], object], workers: int = 2) -> None:
        """failed: called on the Tk thread with what no caller handled."""
        self._pump = pump
        self._failed = failed
        self._store = ThreadPoolExecutor(1, "store")
        self._pool = ThreadPoolExecutor(workers, "background")
        self._store_thread = self._store.submit(threading.get_ident).result()

    def store(
        self,
        work: Callable[[], T],
        done: Callable[[T], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
        owner: tk.Misc | None = None,
    ) -> Task[T]:
        """Run on the store thread, after everything that was given before."""
        task: Task[T] = Task(owner)

        def run() -> T:
            if task.cancelled:
                raise CancelledError("Cancelled.")
            return work()

        self._submit(self._store, task, run, done, failed)
        return task

    def background(
        self,
        work: Callable[[Progress], T],
        done: Callable[[T], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
        owner: tk.Misc | None = None,
        progress: Callable[[int, int, str], object] | None = None,
    ) -> Task[T]:
        """Run in the pool. `progress(done, total, text)` is called on the Tk thread with the newest figures."""
        task: Task[T] = Task(owner)
        latest: list[tuple[int, int, str]] = []

        def show() -> None:
            if latest and task.active and task.wanted() and progress is not None:
                progress(*latest.pop())
                latest.clear()

        def report(count: int, total: int, text: str = "") -> None:
            if task.cancelled:
                raise CancelledError("Cancelled.")
            if progress is not None:
                waiting = bool(latest)
                latest.append((count, total, text))
                if not waiting:
                    self._pump.post(show)

        def run() -> T:
            report(0, 0)
            return work(report)

        self._submit(self._pool, task, run, done, failed)
        return task

    def run_store(self, call: Callable[[], T]) -> T:
        """From a background thread: run on the store thread and wait. On the store thread itself: just call."""
        if threading.get_ident() == self._store_thread:
            return call()
        return self._store.submit(call).result()

    def close(self) -> None:
        """Waits for the store thread's work; background work that has not begun is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._store.shutdown(wait=True)

    def _submit(
        self,
        pool: ThreadPoolExecutor,
        task: Task[T],
        run: Callable[[], T],
        done: Callable[[T], object] | None,
        failed: Callable[[BaseException], object] | None,
    ) -> None:
        def finished(future: Future[T]) -> None:
            self._pump.post(lambda: self._deliver(task, future, done, failed))

        pool.submit(run).add_done_callback(finished)

    def _deliver(
        self,
        task: Task[T],
        future: Future[T],
        done: Callable[[T], object] | None,
        failed: Callable[[BaseException], object] | None,
    ) -> None:
        task.active = False
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            if done is not None and task.wanted():
                done(future.result())
        elif failed is not None:
            if task.wanted():
                failed(error)
        elif not isinstance(error, CancelledError):
            self._failed(error)
