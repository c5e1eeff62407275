"""The devices that can train and detect, with their memory, or the reason why not."""

from __future__ import annotations

from dataclasses import dataclass

from . import _lib


@dataclass(frozen=True, slots=True)
class Device:
    """id is what `device=` and `-device` take; reason is "" for a usable device. free_bytes None = not known."""

    id: str
    description: str
    memory_bytes: int
    free_bytes: int | None
    usable: bool
    reason: str


def list_devices() -> list[Device]:
    """Every device of this machine, best first, usable or not. Raises LibraryError."""
    found = _lib.call_json(_lib.library().dk_devices_json)
    return [
        Device(
            str(entry["id"]),
            str(entry["description"]),
            int(entry["memory_bytes"]),
            int(entry["free_bytes"]) if "free_bytes" in entry else None,
            bool(entry["usable"]),
            str(entry["reason"]),
        )
        for entry in found
    ]
