"""The list of files: filters, order, counts, and where to go next."""

from __future__ import annotations

from gui.core.editor_files import SIZES, FileBook, kinds_of
from gui.core.records import ImageEntry, ImageState

NEW, DRAFT, SUBMITTED, NEGATIVE = ImageState.NEW, ImageState.DRAFT, ImageState.SUBMITTED, ImageState.NEGATIVE


def book(*states: ImageState) -> FileBook:
    made = FileBook()
    made.load(ImageEntry(10 + index, f"Crow_{index}.jpg", state, index % 3) for index, state in enumerate(states))
    return made


def ids(made: FileBook) -> list[int]:
    return [entry.image_id for entry in made.shown()]


def test_header_counts_negatives_and_follows_changes() -> None:
    made = book(NEW, DRAFT, SUBMITTED, NEGATIVE)
    assert made.header == "Files (2/4 submitted)" and made.drafts == 1
    made.update(10, SUBMITTED, 3)
    assert made.header == "Files (3/4 submitted)"
    made.update(12, DRAFT, 3)
    assert made.header == "Files (2/4 submitted)"
    assert made.update(99, NEW, 0) is None


def test_filters_by_state_text_and_class() -> None:
    made = book(NEW, DRAFT, SUBMITTED, NEGATIVE)
    made.state_filter = "Not submitted"
    assert ids(made) == [10, 11]
    made.state_filter = "Negative"
    assert ids(made) == [13] and made.is_filtered
    made.state_filter, made.text_filter = "All files", "ROW_2"
    assert ids(made) == [12]
    made.text_filter, made.category_filter = "", 7
    assert len(ids(made)) == 4
    made.kinds_of = {11: kinds_of([(7, 31.0 * 33.0), (8, 96.0 * 96.0)]), 12: kinds_of([(8, 100.0)])}
    assert ids(made) == [11]
    made.update(12, SUBMITTED, 1, kinds_of([(7, 1024.0)]))
    assert ids(made) == [11, 12]


def test_filters_by_the_size_of_a_box_and_of_its_class() -> None:
    """Small is below 32 x 32 px, large from 96 x 96 px on."""
    made = book(NEW, DRAFT, SUBMITTED, NEGATIVE)
    made.kinds_of = {11: kinds_of([(7, 31.0 * 33.0), (8, 96.0 * 96.0)]), 12: kinds_of([(8, 32.0 * 32.0)])}
    found = {}
    for size in SIZES:
        made.size_filter = size
        found[size.split(",")[0]] = ids(made)
    assert found == {"Any box size": [10, 11, 12, 13], "Small": [11], "Medium": [12], "Large": [11]}
    made.size_filter, made.category_filter = "Small, under 32 x 32 px", 8
    assert ids(made) == []


def test_orders() -> None:
    made = book(NEW, SUBMITTED, SUBMITTED, NEW)
    made.order = "Most boxes"
    assert ids(made) == [12, 11, 10, 13]
    made.order = "Fewest boxes"
    assert ids(made) == [10, 13, 11, 12]
    made.order = "State"
    assert ids(made) == [10, 13, 11, 12]
    made.order = "Added last"
    assert ids(made) == [13, 12, 11, 10]


def test_neighbours_are_those_that_are_shown() -> None:
    made = book(NEW, SUBMITTED, NEW, SUBMITTED, NEW)
    made.state_filter = "Not submitted"
    shown = made.shown()
    assert made.neighbour(10, 1, shown) == 12 and made.neighbour(10, -1, shown) is None
    assert made.neighbour(13, 1, shown) == 14 and made.neighbour(13, -1, shown) == 12
    assert made.neighbour(None, 1, shown) == 10 and made.neighbour(None, 1, []) is None


def test_next_to_do_goes_round_and_skips_what_is_on_its_way() -> None:
    made = book(NEW, SUBMITTED, DRAFT, NEGATIVE)
    assert made.next_to_do(10) == 12
    assert made.next_to_do(12) == 10
    assert made.next_to_do(12, {10}) == 12
    assert made.next_to_do(12, {10, 12}) is None
    assert made.next_to_do(10, step=-1) == 12
    assert made.next_to_do(None) == 10
    assert FileBook().next_to_do(None) is None
