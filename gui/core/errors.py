"""What a use case says to the user when it can't be done."""

from __future__ import annotations


class UserError(Exception):
    """Shown as it is: one or two sentences that name the thing and the next step."""


class ReadOnlyError(UserError):
    """The library was opened for reading, because another window has it or its folder can't be written."""


class NoSpaceError(UserError):
    """A disk is full; the message names the path."""


class ConflictError(UserError):
    """Somebody else changed the same thing since it was read."""


class CorruptLibraryError(UserError):
    """The library's file is damaged."""


class LockedError(UserError):
    """Another window or command has the library open for writing."""


class NewerLibraryError(UserError):
    """The library was made by a newer version of this app."""
