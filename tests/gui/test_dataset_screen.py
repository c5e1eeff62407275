"""The step Dataset with a real library and window: importing, cancelling, choosing, renaming, deleting, statistics."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from darknet_bridge.interchange import FORMATS, read_labelled
from gui.core import experiments, limits
from gui.core.import_images import ImportRequest, import_pictures
from gui.core.records import Storage
from gui.core.sample_set import add_sample_set
from gui.core.scan import survey
from tests.core.pictures import save, video

Turn = Callable[..., None]


def quiet(done: int, total: int, text: str = "") -> None:
    pass


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "my birds"
    for seed in range(8):
        save(folder / f"sub {seed % 2}" / f"{seed:02d}.jpg", seed)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


@pytest.fixture
def screen(open_app: Any, turn: Turn) -> Any:
    app = open_app()
    made = app.tasks.run_store(lambda: experiments.create(app.workspace, "Test"))
    app.router.show("dataset", experiment_id=made.id)
    turn(lambda: app.router.current._shelf is not None)
    app.router.current.app = app
    return app.router.current


def descendants(widget: Any) -> list[Any]:
    return [widget, *(found for child in widget.winfo_children() for found in descendants(child))]


def press(root: Any, text: str) -> None:
    """The button with this text that is shown, the newest first."""
    found = [
        widget
        for widget in descendants(root)
        if widget.winfo_class() == "TButton" and widget.winfo_viewable() and str(widget.cget("text")).strip() == text
    ]
    assert found, f"no button {text}"
    found[-1].invoke()


def texts(root: Any) -> str:
    shown = []
    for widget in descendants(root):
        if widget.winfo_viewable() and widget.winfo_class() in ("TLabel", "TButton", "TRadiobutton"):
            shown.append(str(widget.cget("text")))
        elif widget.winfo_viewable() and widget.winfo_class() == "Text":
            shown.append(widget.get("1.0", "end"))
    return "\n".join(shown)


def datasets(screen: Any) -> list[Any]:
    found: list[Any] = screen.app.tasks.run_store(screen.workspace.store.datasets.list)
    return found


def test_a_dropped_folder(screen: Any, root: Any, turn: Turn, photos: Path) -> None:
    assert screen.next_reason() and "Add images" in screen.panel.reason
    screen._dropped([photos])
    turn(lambda: "8 images" in texts(root) or "9 images" in texts(root), "the question")
    assert "my birds" in [str(widget.get()) for widget in descendants(root) if widget.winfo_class() == "TEntry"]
    press(root, "Import")
    turn(lambda: "What was left out" in texts(root), "the report")
    assert "8 images imported, 1 file left out" in texts(root) and "broken.jpg" in texts(root)
    press(root, "Close")
    turn(lambda: screen.selected is not None and screen.carousel.count == 8)
    assert screen.next_reason() is None and not screen.imports.running and screen.progress_text == ""
    experiment = screen.app.tasks.run_store(lambda: screen.workspace.store.experiments.get(screen.experiment_id))
    assert experiment.dataset_id == screen.selected
    imported = [json.loads(line) for line in screen.app.events() if '"imported"' in line]
    assert imported[0]["images"] == 8 and imported[0]["skipped"] == 1
    turn(lambda: len(screen.grid_view._sources) == 3, "the pictures of the card")
    card = screen.grid_view._cards[1]
    assert (card.title, card.line_right) == ("my birds", "8 files") and len(card.pictures) == 3
    screen.carousel.turn(1)
    turn(lambda: str(screen.carousel.caption.cget("text")).startswith("2 / 8"))
    screen.carousel.turn(-2)
    turn(lambda: str(screen.carousel.caption.cget("text")).startswith("8 / 8"))


def test_cancel_leaves_nothing(screen: Any, root: Any, turn: Turn, tmp_path: Path) -> None:
    for seed in range(600):
        save(tmp_path / "in" / f"{seed}.png", seed, 100, 80)
    screen.imports.begin([tmp_path / "in"])
    turn(lambda: "600 images" in texts(root))
    screen_copy = [widget for widget in descendants(root) if widget.winfo_class() == "TRadiobutton"]
    screen_copy[-1].invoke()
    press(root, "Import")
    turn(lambda: "%" in screen.progress_text and "Importing…" in screen.progress_text, "the progress")
    press(root, "Cancel")
    turn(lambda: not screen.imports.running and screen.progress_text == "")
    assert "Cancelled" in " ".join(screen.context.toasts.texts)
    assert datasets(screen) == [] and list(screen.workspace.images_folder.iterdir()) == []


def test_nothing_to_import_and_one_at_a_time(screen: Any, root: Any, turn: Turn, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    screen.imports.begin([tmp_path / "docs"])
    turn(lambda: "no picture" in " ".join(screen.context.toasts.texts))
    (tmp_path / "docs" / "a.doc").write_text("x")
    screen.imports.begin([tmp_path / "docs"])
    turn(lambda: "Nothing to import" in texts(root) and "a.doc" in texts(root))
    press(root, "Close")
    screen.imports.begin([tmp_path / "a.zip", tmp_path / "b.zip"])
    assert "one at a time" in screen.context.toasts.texts[-1]


def test_warnings_before_a_large_import(screen: Any, root: Any, turn: Turn, photos: Path) -> None:
    screen.app.tasks.run_store(lambda: screen.workspace.settings.set(limits.KEY, {"images": 5, "bytes": 1000}))
    screen.imports.begin([photos])
    turn(lambda: "take long" in texts(root) and "slows training" in texts(root))
    press(root, "Cancel")
    assert datasets(screen) == []


def test_the_sample_set_statistics_and_export(screen: Any, root: Any, turn: Turn, tmp_path: Path) -> None:
    workspace = screen.workspace
    report = add_sample_set(workspace, "Sample", quiet, pictures=12)
    screen.choose(report.dataset_id)
    turn(lambda: screen.selected == report.dataset_id)
    screen.show_statistics(screen.selected)
    turn(lambda: len(screen.figures._charts) >= 6)
    titles = [chart.title for chart in screen.figures._charts]
    assert titles[0] == "Boxes per category" and "Where boxes are" in titles and "Split" in titles
    assert all(bar.warn for bar in screen.figures._charts[0].bars if bar.value < 25)
    press(root, "Back to the datasets")
    turn(lambda: screen.grid_view.winfo_viewable())
    group = screen.groups_of(report.dataset_id)[0]
    screen.labels.export(group, "coco", tmp_path / "out")
    turn(lambda: "Labels exported" in texts(root) and "ladybird" in texts(root))
    press(root, "Close")
    assert len(read_labelled(tmp_path / "out" / "Sample labels coco").images) == 12


def test_a_labelled_set(screen: Any, root: Any, turn: Turn, tmp_path: Path) -> None:
    folder = tmp_path / "labelled"
    for seed in range(3):
        save(folder / f"{seed}.jpg", seed)
    (folder / "obj.names").write_text("crow\ntit\n")
    (folder / "0.txt").write_text("0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.2 0.2\n")
    (folder / "1.txt").write_text("")
    (folder / "9.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    screen.labels.begin_set(folder)
    turn(lambda: "3 images" in texts(root))
    press(root, "Import")
    turn(lambda: "2 boxes for 2 images" in texts(root), "the mapping")
    assert "crow" in texts(root) and "1 image has no label" in texts(root)
    press(root, "Import")
    turn(lambda: "Labels that were left out" in texts(root))
    assert "9.txt" in texts(root)
    press(root, "Close")
    store = screen.workspace.store
    group = screen.app.tasks.run_store(lambda: store.groups.list(screen.selected))[0]
    summary = screen.app.tasks.run_store(lambda: store.groups.summary(group.id))
    assert (summary.submitted, summary.negatives, summary.boxes) == (2, 1, 2)
    backups = screen.app.tasks.run_store(screen.workspace.backups.list)
    assert [each.reason for each in backups] == ["before-import"] * 2, "before the images, and before their labels"


def test_a_video(screen: Any, root: Any, turn: Turn, tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.avi", frames=50, rate=10)
    screen.imports.begin([clip])
    turn(lambda: "Images of clip.avi" in texts(root) and "about 5 images" in texts(root))
    fields = [widget for widget in descendants(root) if widget.winfo_class() == "TEntry" and widget.winfo_viewable()]
    fields[-1].delete(0, "end")
    assert "Type two numbers" in texts(root)
    fields[-1].insert(0, "3")
    assert "about 3 images" in texts(root)
    press(root, "Continue")
    turn(lambda: "Name of the dataset" in texts(root))
    press(root, "Import")
    turn(lambda: screen.selected is not None)
    (dataset,) = datasets(screen)
    assert (dataset.name, dataset.images, dataset.storage) == ("clip", 3, Storage.COPY)


def test_search_rename_delete_and_undo(screen: Any, root: Any, turn: Turn, photos: Path) -> None:
    workspace = screen.workspace
    for name in ("Birds", "Mountains"):
        import_pictures(workspace, ImportRequest(name), survey([photos]), quiet)
    turn(lambda: len(screen.grid_view._cards) == 3)
    screen.query.set("mount")
    turn(lambda: [card.title for card in screen.grid_view._cards][1:] == ["Mountains"])
    screen.query.set("")
    birds = next(dataset for dataset in screen._shelf.datasets if dataset.name == "Birds")
    screen.choose(birds.id)
    turn(lambda: screen.selected == birds.id)
    screen.menus.rename(birds)
    field = [widget for widget in descendants(root) if widget.winfo_class() == "TEntry" and widget.winfo_viewable()][-1]
    field.delete(0, "end")
    field.insert(0, "mountains")
    assert "already a dataset" in texts(root)
    field.insert("end", " 2")
    press(root, "Rename")
    turn(lambda: "mountains 2" in screen.names())
    screen.menus.delete(screen.dataset(birds.id))
    press(root, "Delete")
    turn(lambda: len(screen.names()) == 1 and screen.selected is None)
    assert screen.next_reason() is not None
    screen.app.undo()
    turn(lambda: len(screen.names()) == 2 and screen.selected == birds.id)
    assert (photos / "sub 0" / "00.jpg").exists()


def test_a_library_that_is_only_read(screen: Any, root: Any, turn: Turn, photos: Path) -> None:
    screen.workspace.read_only_reason = "Only to look at."
    screen.imports.begin([photos])
    assert screen.context.toasts.texts[-1] == "Only to look at."
    screen.workspace.read_only_reason = ""


def test_many_images_open_in_time(screen: Any, root: Any, turn: Turn, tmp_path: Path) -> None:
    store = screen.workspace.store
    save(tmp_path / "one.jpg")
    (image,) = [survey([tmp_path / "one.jpg"]).files[0]]
    from gui.core.scan import examine

    record = examine(image.path, image.name)
    many = [
        type(record)(**{**{name: getattr(record, name) for name in type(record).__slots__}, "name": f"{n}.jpg"})
        for n in range(5000)
    ]
    dataset = screen.app.tasks.run_store(lambda: store.datasets.create("Many", Storage.REFERENCE, tmp_path))
    screen.app.tasks.run_store(lambda: store.datasets.add_images(dataset.id, many))
    started = time.process_time()
    screen.refresh()
    turn(lambda: screen.dataset(dataset.id) is not None)
    assert time.process_time() - started < 2
    screen.choose(dataset.id)
    turn(lambda: screen.carousel.count == 1000 and "/ 5,000" in str(screen.carousel.caption.cget("text")))


def test_every_format_has_a_label() -> None:
    assert all(entry.label for entry in FORMATS.values())


def test_a_moved_folder_is_found_again(screen: Any, root: Any, turn: Turn, photos: Path) -> None:
    import_pictures(screen.workspace, ImportRequest("Birds"), survey([photos]), quiet)
    turn(lambda: screen.names() == ["Birds"])
    photos.rename(photos.with_name("moved"))
    screen.imports.find_moved(screen._shelf.datasets[0], photos.with_name("moved"))
    turn(lambda: "8 images found again." in screen.context.toasts.texts)
    images = screen.app.tasks.run_store(lambda: screen.workspace.store.datasets.images(screen._shelf.datasets[0].id))
    assert all(image.path.is_file() for image in images)


def test_names_that_no_screen_can_show(screen: Any, root: Any, turn: Turn, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"odd \xff folder")
    for seed, name in enumerate((b"\xfe\xff.jpg", b"new\nline.jpg", b"-rf $(x).jpg")):
        save(folder / os.fsdecode(name), seed)
    (folder / os.fsdecode(b"\xff.doc")).write_text("x")
    screen.imports.begin([folder])
    turn(lambda: "3 images" in texts(root))
    press(root, "Import")
    turn(lambda: "What was left out" in texts(root))
    press(root, "Close")
    turn(lambda: screen.carousel.count == 3)
    for position in range(3):
        turn(lambda at=position: str(screen.carousel.caption.cget("text")).startswith(f"{at + 1} / 3"))
        screen.carousel.turn(1)
    screen.show_statistics(screen.selected)
    turn(lambda: len(screen.figures._charts) >= 3)


def test_a_late_answer_does_not_turn_the_preview_back(screen: Any, turn: Turn, photos: Path) -> None:
    import_pictures(screen.workspace, ImportRequest("Birds"), survey([photos]), quiet)
    turn(lambda: screen.names() == ["Birds"])
    screen.choose(screen._shelf.datasets[0].id)
    turn(lambda: screen.carousel.count == 8)
    screen.carousel.turn(3)
    screen._previewed(screen.selected, list(screen._preview))
    assert screen.carousel.position == 3
