"""Puts the window together: the only place that knows store, tasks, shell and screens all at once."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import tkinter as tk
import traceback
from collections.abc import Callable
from typing import Any

from darknet_bridge import devices
from darknet_bridge.errors import CancelledError, DarknetError

from .closing import Closing
from .core.changes import EVERYTHING
from .core.delete_run import remove_deleted
from .core.device_words import card_problem, memory_words
from .core.errors import UserError
from .core.import_images import remove_leftovers
from .core.ingest import Live
from .core.training import Queue
from .core.workspace import Workspace
from .screen_list import SCREENS, ScreenEntry
from .screens.base import Context, Screen
from .screens.ended import EndNotices
from .screens.experiment import ExperimentFrame
from .screens.home import ExperimentColumn
from .tk.commands import Command, Commands, read_own_keys
from .tk.lifetime import later, when_idle
from .tk.pump import Pump
from .tk.shell import Root, Router, Shell
from .tk.tasks import Progress, Tasks
from .tk.theme import SCALES, Theme, system_mode
from .widgets.dialogs import show_error, show_keys
from .widgets.key_dialog import KeyDialog
from .widgets.toast import Toasts

TITLE = "Darknet Studio"
LOG = logging.getLogger("darknet_studio")
DEVICE_REFRESH_MS = 30_000
BACKUP_CHECK_MS = 60_000
PREPARE_MS = 700


class App:
    """One window on one library. `run` returns when it is closed."""

    def __init__(self, workspace: Workspace, root: Root | None = None) -> None:
        """root: for tests, which have one root for all windows; it is then left alive at the end."""
        self.workspace = workspace
        self._owns_root = root is None
        self.root = root or Root(TITLE)
        self.pump = Pump(self.root, self._stalled)
        self.tasks = Tasks(self.pump, self.failed)
        workspace.use_store_thread(self.tasks.run_store)
        settings = self.tasks.run_store(self._read_settings)
        self.theme = Theme(self.root, self.mode_of(settings["theme"]), settings["scale"])
        self.root.report_callback_exception = self._callback_failed
        self._own_keys: dict[str, list[str]] = settings["keys"]
        self._live_step = -1
        self._unsubscribe = workspace.changes.subscribe(self._changed)
        self.training = None if workspace.read_only else Queue(workspace, self._heard)
        self._build()
        self.root.title(f"{TITLE} – {_name_of(workspace)}" + (" (read only)" if workspace.read_only else ""))
        self._size(settings["window"])
        self.root.protocol("WM_DELETE_WINDOW", self.ask_close)
        self.pump.start()

    # ---- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.shell = Shell(self.root, self.theme)
        self.shell.pack(fill="both", expand=True)
        self.toasts = Toasts(self.root, self.theme)
        self.commands = Commands(self.shell, lambda reason: self.toasts.show(reason, "warning"))
        self.commands.set_own_keys(self._own_keys)
        self.router = Router(self._navigated)
        self.context = Context(
            root=self.root,
            theme=self.theme,
            tasks=self.tasks,
            router=self.router,
            commands=self.commands,
            workspace=self.workspace,
            toasts=self.toasts,
            status=self.shell.status,
            training=self.training,
            failed=self.failed,
            set_theme=self.set_theme,
            set_scale=lambda scale: when_idle(self.shell, lambda: self.set_scale(scale)),
        )
        self.closing = Closing(self.context, self.close)
        self.column = ExperimentColumn(self.shell.sidebar, self.context)
        self.column.pack(fill="both", expand=True)
        self.frame = ExperimentFrame(self.shell.page, self.context, self.column.open_menu)
        self.notices = EndNotices(self.context)
        self.router.add_host("page", self.shell.page)
        self.router.add_host("window", self.shell.window)
        self.router.add_host("step", self.frame)
        for entry in SCREENS:
            if importlib.util.find_spec(entry.module) is not None:
                self.router.add_screen(entry.id, entry.host, self._maker(entry))
        self._register_commands()
        self._show_devices()
        self._show_job()
        self._back_up()

    def _maker(self, entry: ScreenEntry) -> Callable[[tk.Misc], Screen]:
        return lambda parent: entry.load()(parent, self.context)

    def rebuild(self, between: Callable[[], object]) -> None:
        """Makes every widget anew, for another interface size; the screen that is shown stays.

        between: while there is no widget, which otherwise would be laid out and painted for nothing.
        """
        shown, params = self.router.current_id, self.router.params
        self.toasts.clear()
        self.shell.destroy()
        between()
        self._build()
        # The screen in a turn of its own: both together would hold a busy computer up for a tenth of a second.
        later(self.shell, 1, lambda: self.router.show(shown or "home", **params))

    def _register_commands(self) -> None:
        read_only = self._read_only_reason
        self.commands.register(
            self.shell,
            [
                Command("keys", "Show this sheet", self.show_keys, ("F1",)),
                Command("new", "New experiment", self.column.create, ("Ctrl+N",), read_only),
                Command("find", "Search experiments", self.column.focus_search, ("Ctrl+F",)),
                Command("home", "Start page", lambda: self.router.show("home"), ("Ctrl+H",)),
                Command("settings", "Settings", lambda: self.router.show("settings"), ("Ctrl+,",)),
                Command("undo", "Undo the last deletion", self.undo, ("Ctrl+Z",), self._undo_reason),
                Command("redo", "Do it again", self.redo, ("Ctrl+Shift+Z", "Ctrl+Y"), self._redo_reason),
                Command("quit", "Close the window", self.ask_close, ("Ctrl+Q",)),
            ],
        )

    # ---- settings ------------------------------------------------------------------------------------------------------

    def _read_settings(self) -> dict[str, Any]:
        get = self.workspace.store.settings.get
        scale = get("interface_size", 1.0)
        return {
            "theme": get("theme", "system"),
            "scale": min(SCALES, key=lambda known: abs(known - float(scale))),
            "window": get("window", ""),
            "keys": read_own_keys(get("keys", {})),
        }

    def show_keys(self) -> None:
        show_keys(self.root, self.theme, self.commands.active(), self.change_keys, self._read_only_reason())

    def change_keys(self) -> None:
        """Own keys belong to the library, as the other settings do."""

        def changed() -> None:
            self._own_keys = {command_id: list(keys) for command_id, keys in self.commands.own_keys.items()}
            kept = dict(self._own_keys)
            self.tasks.store(lambda: self.workspace.settings.set("keys", kept))

        self.key_dialog = KeyDialog(self.root, self.theme, self.commands, changed)

    def mode_of(self, choice: str) -> str:
        """dark or light for a setting of dark, light or system."""
        return choice if choice in ("dark", "light") else system_mode(self.root)

    def set_theme(self, choice: str) -> None:
        mode = self.mode_of(choice)
        self.theme.prepare(mode, self.theme.scale, lambda: self.theme.use(mode=mode))

    def set_scale(self, scale: float) -> None:
        self.theme.prepare(self.theme.mode, scale, lambda: self._rescale(scale))

    def _rescale(self, scale: float) -> None:
        if scale != self.theme.scale:
            self.rebuild(lambda: self.theme.use(scale=scale))

    def _size(self, remembered: str) -> None:
        width, height = self.root.winfo_screenwidth(), self.root.winfo_screenheight()
        size = remembered if _is_size(remembered) else f"{min(1440, width)}x{min(900, height)}"
        self.root.geometry(size)
        self.root.minsize(min(960, width), min(600, height))

    # ---- what happens ------------------------------------------------------------------------------------------------

    def _navigated(self, screen_id: str) -> None:
        self.column.mark(self.router.params.get("experiment_id"))
        when_idle(self.shell, lambda: self.context.event("screen", name=screen_id))

    def _changed(self, topics: frozenset[str]) -> None:
        """From any thread."""
        self.pump.post(lambda: self._deliver(frozenset(topics)))

    def _deliver(self, topics: frozenset[str]) -> None:
        self.column.on_changes(topics)
        if EVERYTHING in topics:
            self.router.show("home")
        self.frame.on_changes(topics)
        self.notices.on_changes(topics)
        current: Any = self.router.current
        if current is not None:
            current.on_changes(topics)
        if any(topic.startswith(("run", EVERYTHING)) for topic in topics):
            self._show_job()

    def _heard(self, live: Live) -> None:
        """From the queue's thread: the newest figures of the run at work."""
        self.pump.post(lambda: self._show_live(live))

    def _show_live(self, live: Live) -> None:
        current: Any = self.router.current
        if current is not None:
            current.on_live(live)
        if live.step != self._live_step:
            self._live_step = live.step
            self.context.event("trainer_step", run=live.run_id, step=live.step)

    def _undo_reason(self) -> str | None:
        return None if self.workspace.undo.undo_label else "There is nothing to undo."

    def _redo_reason(self) -> str | None:
        return None if self.workspace.undo.redo_label else "There is nothing to do again."

    def _read_only_reason(self) -> str | None:
        return self.workspace.read_only_reason if self.workspace.read_only else None

    def undo(self) -> None:
        self.tasks.store(self.workspace.undo.undo, lambda label: self.toasts.show(f"Undone: {label}") if label else None)

    def redo(self) -> None:
        self.tasks.store(self.workspace.undo.redo, lambda label: self.toasts.show(f"Done again: {label}") if label else None)

    def failed(self, error: BaseException) -> None:
        """Shows an error the way it should be shown; nothing for a cancellation."""
        if isinstance(error, CancelledError):
            return
        text = str(error)
        details = "".join(traceback.format_exception(error))
        LOG.error("%s", details)
        if isinstance(error, UserError):
            self.toasts.show(text, "error")
        elif isinstance(error, DarknetError) and text:
            show_error(self.root, self.theme, text, details)
        else:
            show_error(self.root, self.theme, "Darknet Studio could not finish what it was doing. The rest goes on.", details)
        self.context.event("error", code=type(error).__name__, text=text)

    def _callback_failed(self, _kind: type[BaseException], error: BaseException, _trace: object) -> None:
        try:
            self.failed(error)
        except Exception:  # an error that leaves this callback would end the whole window
            LOG.exception("an error could not be shown")

    def _stalled(self, late_ms: float) -> None:
        self.workspace.event("stall", ms=round(late_ms))

    # ---- status line ----------------------------------------------------------------------------------------------------

    def _show_devices(self) -> None:
        status = self.shell.status

        def listed(found: list[devices.Device]) -> None:
            usable = [device for device in found if device.usable]
            status.set(card=card_problem(found))
            if usable:
                best = usable[0]
                status.set(device=best.description, memory=memory_words(best))
            later(self.shell, DEVICE_REFRESH_MS, self._show_devices)

        def missing(error: BaseException) -> None:
            status.set(device=str(error).splitlines()[0][:90] if str(error) else "No device")

        def work(_progress: Progress) -> list[devices.Device]:
            return devices.list_devices()

        self.tasks.background(work, listed, missing, owner=status)

    def _show_job(self) -> None:
        status = self.shell.status

        def named() -> str:
            active = self.workspace.store.runs.active()
            if not active:
                return "No training running"
            run = active[0]
            name = self.workspace.store.experiments.get(run.experiment_id).name
            waiting = f", {len(active) - 1} more waiting" if len(active) > 1 else ""
            return f"Training “{name}”: step {run.done_steps:,} of {run.total_steps:,}{waiting}"

        self.tasks.store(named, lambda text: status.set(job=text), owner=status)

    def _back_up(self) -> None:
        """Looks every minute whether a backup is due."""
        self.tasks.store(self.workspace.backups.make_if_due, owner=self.shell)
        later(self.shell, BACKUP_CHECK_MS, self._back_up)

    # ---- the end --------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        self.start()
        self.root.mainloop()

    def start(self) -> None:
        """Shows the window with the start page."""
        self.router.show("home")
        self.root.deiconify()
        if self.training is not None:
            self.training.start()
            self.tasks.background(lambda _progress: remove_leftovers(self.workspace))
            self.tasks.background(lambda _progress: remove_deleted(self.workspace))
        later(self.shell, PREPARE_MS, self._prepare)
        for text in [*self.workspace.notices, self.workspace.read_only_reason]:
            if text:
                self.toasts.show(text, "warning")

    def _prepare(self) -> None:
        """While nobody waits for it: the modules of the screens, and the pictures of the other theme."""

        def load(_progress: Progress) -> None:
            for entry in SCREENS:
                if self.router.knows(entry.id):
                    entry.load()

        self.tasks.background(load)
        self.theme.prepare_other_mode()

    def ask_close(self) -> None:
        self.closing.ask()

    def close(self) -> None:
        """Waits for what is being stored, closes the library, ends the window."""
        self._unsubscribe()
        self.theme.close()
        if self.training is not None:
            self.training.close()
        size = f"{self.root.winfo_width()}x{self.root.winfo_height()}"
        with contextlib.suppress(UserError):  # a full disk must not keep the window open
            self.tasks.run_store(lambda: self._remember(size))
        self.tasks.run_store(self.workspace.close)
        self.tasks.close()
        self.pump.stop()
        self.toasts.clear()
        if self._owns_root:
            self.root.destroy()
        else:
            self.shell.destroy()

    def _remember(self, size: str) -> None:
        if self._owns_root and not self.workspace.read_only:
            self.workspace.settings.set("window", size)


def _name_of(workspace: Workspace) -> str:
    """The library's folder, or the server without a password."""
    where = workspace.store.where
    return where if "://" in where else workspace.folder.name


def _is_size(text: str) -> bool:
    width, _, height = text.partition("x")
    return width.isdigit() and height.isdigit() and int(width) >= 400 and int(height) >= 300
