"""Numbers and times as a person says them."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86_400
_UNITS = ((365 * DAY, "year"), (30 * DAY, "month"), (7 * DAY, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"))


def ago(then: float, now: float) -> str:
    """ "just now", "a minute ago", "3 days ago". Times in UTC seconds; one in the future is now: clocks jump."""
    seconds = now - then
    for length, unit in _UNITS:
        count = int(seconds // length)
        if count == 1:
            return f"{'an' if unit == 'hour' else 'a'} {unit} ago"
        if count > 1:
            return f"{count} {unit}s ago"
    return "just now"


def counted(count: int, noun: str, plural: str = "") -> str:
    """ "1 box", "2,000 boxes"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
