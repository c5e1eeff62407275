"""The editor's list of files: what is shown of it (state, class, text, order), how far the work is, and where to go next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .records import ImageEntry, ImageState

STATE_FILTERS: Mapping[str, tuple[ImageState, ...]] = {
    "All files": tuple(ImageState),
    "Not submitted": (ImageState.NEW, ImageState.DRAFT),
    "Unsubmitted changes": (ImageState.DRAFT,),
    "Submitted": (ImageState.SUBMITTED, ImageState.NEGATIVE),
    "Negative": (ImageState.NEGATIVE,),
}
ORDERS = ("Name", "Most boxes", "Fewest boxes", "State", "Added last")
# Areas from which a box is medium and large, in pixels of the image; the words name them.
SIZE_AREAS = (32.0**2, 96.0**2)
SIZES: Mapping[str, int | None] = {
    "Any box size": None,
    "Small, under 32 x 32 px": 0,
    "Medium, up to 96 x 96 px": 1,
    "Large, over 96 x 96 px": 2,
}
Kinds = frozenset[tuple[int, int]]
_DONE = (ImageState.SUBMITTED, ImageState.NEGATIVE)
_STATES = list(ImageState)


@dataclass
class FileBook:
    """entries: all images of the dataset in name order. kinds_of: (category id, size) of the boxes on each
    image, once it was asked for; a size is how many of SIZE_AREAS are reached."""

    entries: list[ImageEntry] = field(default_factory=list)
    state_filter: str = "All files"
    text_filter: str = ""
    category_filter: int | None = None
    size_filter: str = "Any box size"
    order: str = "Name"
    kinds_of: dict[int, Kinds] | None = None
    _at: dict[int, int] = field(default_factory=dict)
    _submitted: int = 0

    def load(self, entries: Iterable[ImageEntry]) -> None:
        self.entries = list(entries)
        self._at = {entry.image_id: index for index, entry in enumerate(self.entries)}
        self._submitted = sum(entry.state in _DONE for entry in self.entries)

    def __getitem__(self, image_id: int) -> ImageEntry:
        """Raises KeyError."""
        return self.entries[self._at[image_id]]

    def entry(self, image_id: int) -> ImageEntry | None:
        return self.entries[self._at[image_id]] if image_id in self._at else None

    def update(self, image_id: int, state: ImageState, boxes: int, kinds: Kinds = frozenset()) -> ImageEntry | None:
        """After a change or a commit; None for an image that is not in the list."""
        before = self.entry(image_id)
        if before is None:
            return None
        after = replace(before, state=state, boxes=boxes)
        self.entries[self._at[image_id]] = after
        self._submitted += (after.state in _DONE) - (before.state in _DONE)
        if self.kinds_of is not None:
            self.kinds_of[image_id] = kinds
        return after

    @property
    def submitted(self) -> int:
        return self._submitted

    @property
    def header(self) -> str:
        return f"Files ({self._submitted:,}/{len(self.entries):,} submitted)"

    @property
    def drafts(self) -> int:
        return sum(entry.state is ImageState.DRAFT for entry in self.entries)

    def number(self, image_id: int) -> int:
        """1 is the first; 0 for none."""
        return self._at.get(image_id, -1) + 1

    def shown(self) -> list[ImageEntry]:
        """What passes the filters, in the chosen order."""
        found = list(filter(self._passing(), self.entries)) if self.is_filtered else list(self.entries)
        if self.order == "Most boxes":
            found.sort(key=lambda entry: -entry.boxes)
        elif self.order == "Fewest boxes":
            found.sort(key=lambda entry: entry.boxes)
        elif self.order == "State":
            found.sort(key=lambda entry: _STATES.index(entry.state))
        elif self.order == "Added last":
            found.sort(key=lambda entry: -entry.image_id)
        return found

    def _passing(self) -> Callable[[ImageEntry], bool]:
        """The test of one entry; what is the same for all 25,000 is worked out once."""
        text, states = self.text_filter.strip().lower(), STATE_FILTERS[self.state_filter]
        category, size, kinds_of = self.category_filter, SIZES[self.size_filter], self.kinds_of

        def fits(kind: tuple[int, int]) -> bool:
            return category in (None, kind[0]) and size in (None, kind[1])

        def passes(entry: ImageEntry) -> bool:
            if entry.state not in states or (text and text not in entry.name.lower()):
                return False
            if kinds_of is None or not self.asks_for_boxes:
                return True
            return any(map(fits, kinds_of.get(entry.image_id, ())))

        return passes

    @property
    def is_filtered(self) -> bool:
        return self.state_filter != "All files" or bool(self.text_filter.strip()) or self.asks_for_boxes

    @property
    def asks_for_boxes(self) -> bool:
        """Whether kinds_of is needed."""
        return self.category_filter is not None or SIZES[self.size_filter] is not None

    def neighbour(self, image_id: int | None, step: int, shown: Sequence[ImageEntry]) -> int | None:
        """The next image of what is shown, in its order; from an image that is filtered out, by its place in the whole list."""
        ids = [entry.image_id for entry in shown]
        if not ids:
            return None
        if image_id in ids:
            at = ids.index(image_id) + step
            return ids[at] if 0 <= at < len(ids) else None
        place = self._at.get(image_id, -1) if image_id is not None else -1
        later = [each for each in ids if self._at[each] > place]
        earlier = [each for each in ids if self._at[each] < place]
        return (later[0] if later else None) if step > 0 else (earlier[-1] if earlier else None)

    def next_to_do(self, after: int | None, skip: Collection[int] = (), step: int = 1) -> int | None:
        """The next image without a submission, round the list; skip: what is being submitted. None when nothing is left."""
        count = len(self.entries)
        start = self._at.get(after, -1) if after is not None else -1
        for offset in range(1, count + 1):
            entry = self.entries[(start + step * offset) % count]
            if entry.state not in _DONE and entry.image_id not in skip:
                return entry.image_id
        return None


def kinds_of(boxes: Iterable[tuple[int, float]]) -> Kinds:
    """Of boxes given as (category id, area in pixels)."""
    return frozenset((category_id, sum(area >= limit for limit in SIZE_AREAS)) for category_id, area in boxes)
