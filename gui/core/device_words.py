"""The devices of this computer, and what they compute with, as a person says them."""

from __future__ import annotations

from collections.abc import Sequence

from darknet_bridge.devices import Device

# What the network computes with, and what to call it.
PRECISIONS = {"bf16": "16 bit (bf16), faster", "f16": "16 bit (fp16), for cards without bf16", "f32": "32 bit, exact"}


def device_names(devices: Sequence[Device]) -> dict[str, str]:
    """What to call each device that can train, by its id; the best first."""
    usable = [device for device in devices if device.usable]
    names = {device.id: device.description.split(",")[0] for device in usable}
    twice = {name for name in names.values() if list(names.values()).count(name) > 1}
    return {
        id_: f"Processor ({name})" if id_ == "cpu" else f"{name} ({id_})" if name in twice else name
        for id_, name in names.items()
    }


def memory_words(device: Device) -> str:
    """How much memory it has, and how much of it is free where that is known."""
    total = f"{device.memory_bytes / 2**30:.1f} GB"
    return f"{total} of memory" if device.free_bytes is None else f"{device.free_bytes / 2**30:.1f} GB of {total} free"


def card_problem(devices: Sequence[Device]) -> str:
    """Why no graphics card trains here, in one sentence; "" where one does."""
    cards = [device for device in devices if device.id.startswith("cuda")]
    if not cards or any(card.usable for card in cards):
        return ""
    return f"No graphics card is used: {cards[0].reason}."
