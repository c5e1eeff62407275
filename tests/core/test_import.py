"""Importing pictures and labels into a library: nothing lost, nothing left behind, nothing of the user's written."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from darknet_bridge import NormBox
from darknet_bridge.errors import CancelledError
from darknet_bridge.interchange import index_of_folder, read_labelled
from gui.core import limits
from gui.core.datasets import delete_dataset, name_problem, remove_images, rename_dataset, suggested_name
from gui.core.errors import UserError
from gui.core.export_labels import export_labels, label_formats
from gui.core.import_images import (
    ImportRequest,
    import_pictures,
    import_video,
    import_zip,
    incoming_folder,
    remove_leftovers,
)
from gui.core.import_labels import apply_labels, plan_labels, standard_mapping
from gui.core.import_limits import PIXELS_KEY, import_warnings, megabytes
from gui.core.records import Box, Storage
from gui.core.relink import find_moved, missing_images
from gui.core.sample_set import add_sample_set
from gui.core.scan import survey
from gui.core.video import every_seconds, probe
from gui.core.workspace import Workspace

from .pictures import save, video

BCCD = Path(__file__).resolve().parents[3] / "shared" / "data" / "bccd"


def quiet(done: int, total: int, text: str = "") -> None:
    pass


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "library")
    yield opened
    opened.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "my photos"
    for seed in range(12):
        save(folder / f"sub {seed % 2}" / f"{seed:02d} ü.jpg", seed)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


def hashes(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.relative_to(folder).as_posix(): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("storage", list(Storage))
def test_a_folder(workspace: Workspace, photos: Path, storage: Storage) -> None:
    before = hashes(photos)
    topics: set[str] = set()
    workspace.changes.subscribe(lambda some: topics.update(some))
    report = import_pictures(workspace, ImportRequest("Birds", storage, folder=photos), survey([photos]), quiet)
    assert report.added == 12 and [entry.path.name for entry in report.skipped] == ["broken.jpg"]
    dataset = workspace.store.datasets.get(report.dataset_id)
    images = workspace.store.datasets.images(report.dataset_id)
    assert (dataset.images, dataset.bytes) == (12, sum(image.bytes for image in images))
    assert images[0].name == "sub 0/00 ü.jpg"
    for image in images:
        assert hashlib.sha256(image.path.read_bytes()).hexdigest() == image.sha256
        assert image.path.is_relative_to(photos) is (storage is Storage.REFERENCE)
    assert hashes(photos) == before
    assert topics == {"datasets", f"dataset:{report.dataset_id}"}
    assert not list(workspace.images_folder.glob(".*"))


@pytest.mark.parametrize("storage", list(Storage))
@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_cancel_leaves_nothing(workspace: Workspace, tmp_path: Path, storage: Storage, at: float) -> None:
    for seed in range(150):
        save(tmp_path / "in" / f"{seed}.png", seed, 12, 9)

    def stop(done: int, total: int, text: str = "") -> None:
        if done >= at * total:
            raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        import_pictures(workspace, ImportRequest("x", storage), survey([tmp_path / "in"]), stop)
    assert workspace.store.datasets.list() == [] and files_below(workspace.images_folder) == []
    assert list(workspace.images_folder.iterdir()) == []


def test_adding_to_a_dataset(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    first = import_pictures(workspace, ImportRequest("Birds"), survey([photos / "sub 0"]), quiet)
    more = ImportRequest("", dataset_id=first.dataset_id)
    second = import_pictures(workspace, more, survey([photos]), quiet)
    assert second.added == 6 and len(second.skipped) == 7
    assert any("already" in entry.reason for entry in second.skipped)
    other = save(tmp_path / "elsewhere" / "00 ü.jpg", 77)
    third = import_pictures(workspace, more, survey([other]), quiet)
    names = [image.name for image in workspace.store.datasets.images(first.dataset_id)]
    assert third.added == 1 and len(names) == len(set(names)) == 13
    with pytest.raises(UserError, match="already"):
        import_pictures(workspace, more, survey([other]), quiet)


def test_the_library_before_an_import_comes_back(workspace: Workspace, photos: Path) -> None:
    first = import_pictures(workspace, ImportRequest("First"), survey([photos / "sub 0"]), quiet).dataset_id
    import_pictures(workspace, ImportRequest("", dataset_id=first), survey([photos / "sub 1"]), quiet)
    backup = workspace.backups.list()[0]
    assert (backup.reason, backup.reason_text) == ("before-import", "before an import")
    assert len(workspace.store.datasets.images(first)) == 12
    workspace.restore(backup.path)
    assert len(workspace.store.datasets.images(first)) == 6


def test_the_library_before_labels_comes_back(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    dataset = import_pictures(workspace, ImportRequest("First"), survey([photos]), quiet).dataset_id
    group = workspace.store.groups.create(dataset, "Things").id
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "obj.names").write_text("crow\n")
    (tmp_path / "labels" / "00 ü.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    plan = plan_labels(workspace, dataset, group, tmp_path / "labels")
    before = len(workspace.backups.list())
    apply_labels(workspace, group, plan, standard_mapping(plan), replace=False)
    assert workspace.store.groups.summary(group).submitted == 1
    backups = workspace.backups.list()
    assert len(backups) == before + 1 and backups[0].reason == "before-import"
    workspace.restore(backups[0].path)
    assert workspace.store.groups.summary(group).submitted == 0


def test_duplicates_share_a_key_for_ever(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        save(folder / f"{name}.png", seed, 200, 150)
    (folder / "a2.png").write_bytes((folder / "a.png").read_bytes())
    report = import_pictures(workspace, ImportRequest("x"), survey([folder]), quiet)
    assert report.added == 4 and report.duplicates == 1
    keys = {image.name: image.split_key for image in workspace.store.datasets.images(report.dataset_id)}
    assert keys["a.png"] == keys["a2.png"] != "" and keys["b.png"] == keys["c.png"] == ""
    save(tmp_path / "more" / "near b.jpg", 2, 200, 150, quality=60)
    import_pictures(workspace, ImportRequest("", dataset_id=report.dataset_id), survey([tmp_path / "more"]), quiet)
    later = {image.name: image.split_key for image in workspace.store.datasets.images(report.dataset_id)}
    assert later["a.png"] == keys["a.png"] and later["b.png"] == later["near b.jpg"] != ""


def test_a_folder_without_pictures(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UserError, match="no picture"):
        import_pictures(workspace, ImportRequest("x"), survey([tmp_path / "in"]), quiet)
    (tmp_path / "in" / "a.doc").write_text("x")
    with pytest.raises(UserError, match=r"a\.doc"):
        import_pictures(workspace, ImportRequest("x"), survey([tmp_path / "in"]), quiet)
    assert workspace.store.datasets.list() == []


def test_a_zip(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in files_below(photos):
            target.write(path, path.relative_to(photos).as_posix())
        target.writestr("sub 0/00 ü.txt", "0 0.5 0.5 0.1 0.1\n")
        target.writestr("../evil.jpg", "x")
    report = import_zip(workspace, ImportRequest("Zip"), archive, quiet)
    assert report.added == 12 and {entry.path.name for entry in report.skipped} == {"broken.jpg", "evil.jpg"}
    images = workspace.store.datasets.images(report.dataset_id)
    assert all(image.path.is_relative_to(workspace.images_folder) and image.path.exists() for image in images)
    assert images[0].path.with_suffix(".txt").exists()
    workspace.settings.set(limits.KEY, {"bytes": 1000})
    with pytest.raises(UserError, match="Settings"):
        import_zip(workspace, ImportRequest("Zip 2"), archive, quiet)
    assert len(workspace.store.datasets.list()) == 1 and not list(workspace.images_folder.glob(".*"))


def test_a_video(workspace: Workspace, tmp_path: Path) -> None:
    path = video(tmp_path / "clip.avi", frames=100, rate=10)
    plan = every_seconds(probe(path), 1, 100)
    report = import_video(workspace, ImportRequest("Clip"), path, plan, quiet)
    images = workspace.store.datasets.images(report.dataset_id)
    assert report.added == 10 and [image.time_ms for image in images] == [1000 * index for index in range(10)]
    assert {image.video for image in images} == {"clip.avi"}
    assert len({image.split_key for image in images}) == 1 and images[0].split_key


def test_leftovers_of_a_crash(workspace: Workspace) -> None:
    with incoming_folder(workspace) as folder:
        (workspace.images_folder / ".incoming-0-ab").mkdir()
        (workspace.images_folder / ".incoming-0-ab" / "a.jpg").write_bytes(b"x")
        assert remove_leftovers(workspace) == 1
        assert folder.is_dir()
    assert list(workspace.images_folder.iterdir()) == []


def test_limits(workspace: Workspace, tmp_path: Path) -> None:
    assert import_warnings(workspace, 10, 6_000_000, Storage.COPY) == []
    workspace.settings.set(limits.KEY, {"bytes": 5_000_000, "images": 15})
    assert import_warnings(workspace, 15, 4_000_000, Storage.COPY) == []
    assert "5 MB" in import_warnings(workspace, 10, 6_000_000, Storage.REFERENCE)[0]
    assert len(import_warnings(workspace, 16, 10**18, Storage.COPY)) == 3
    save(tmp_path / "in" / "a.png")
    dataset_id = import_pictures(workspace, ImportRequest("x"), survey([tmp_path / "in"]), quiet).dataset_id
    into = workspace.store.datasets.get(dataset_id)
    assert import_warnings(workspace, 15, 100, Storage.COPY, into) != []
    assert [megabytes(value) for value in (8_460_000, 315_480_000, 5 * 10**9, 900)] == ["8.46 MB", "315 MB", "5 GB", "0.00 MB"]
    workspace.settings.set(PIXELS_KEY, 100)
    with pytest.raises(UserError, match="at most 100"):
        import_pictures(workspace, ImportRequest("y"), survey([tmp_path / "in"]), quiet)


def test_names_renaming_and_deleting(workspace: Workspace, photos: Path) -> None:
    first = import_pictures(workspace, ImportRequest("Birds"), survey([photos]), quiet).dataset_id
    second = import_pictures(workspace, ImportRequest("Birds 2"), survey([photos]), quiet).dataset_id
    names = [dataset.name for dataset in workspace.store.datasets.list()]
    assert suggested_name([photos], names) == "my photos" and suggested_name([photos.parent / "Birds"], names) == "Birds 3"
    for bad in ("", "  ", "birds", "x" * 500, "a\nb", ".."):
        assert name_problem(bad, names)
    for good in ("../etc", "🦜", "Käfer"):
        assert name_problem(good, names) is None
    rename_dataset(workspace, first, "Crows")
    with pytest.raises(UserError):
        rename_dataset(workspace, second, "CROWS")
    delete_dataset(workspace, first)
    assert [dataset.id for dataset in workspace.store.datasets.list()] == [second]
    workspace.undo.undo()
    workspace.undo.undo()
    assert {dataset.name for dataset in workspace.store.datasets.list()} == {"Birds", "Birds 2"}
    images = workspace.store.datasets.images(first)
    remove_images(workspace, first, [image.id for image in images[:3]])
    assert workspace.store.datasets.get(first).images == 9
    workspace.undo.undo()
    assert workspace.store.datasets.get(first).images == 12 and all(image.path.exists() for image in images)


def test_the_sample_set_and_every_format(workspace: Workspace, tmp_path: Path) -> None:
    report = add_sample_set(workspace, "Sample", quiet, pictures=10)
    assert report.added == 10
    group = workspace.store.groups.list(report.dataset_id)[0]
    summary = workspace.store.groups.summary(group.id)
    assert summary.submitted == 10 and summary.boxes > 10
    before = workspace.store.annotations.submitted(group.id)
    names = {category.id: category.name for category in workspace.store.categories.list(group.id)}
    for format_id, _label in label_formats():
        done = export_labels(workspace, group.id, format_id, tmp_path / "out")
        assert done.images == 10 and done.left_out == 0 and done.problems == ()
        assert done.numbers == ((0, "ladybird"), (1, "leaf"), (2, "mushroom"))
        if format_id == "csv":
            continue
        other = workspace.store.groups.create(report.dataset_id, format_id)
        plan = plan_labels(workspace, report.dataset_id, other.id, done.folder)
        assert plan.unmatched == () and plan.problems == () and plan.unlabelled == 0 and plan.overwrites == 0
        result = apply_labels(workspace, other.id, plan, standard_mapping(plan), replace=False)
        assert (result.images, result.boxes, result.kept) == (10, summary.boxes, 0)
        back = {category.id: category.name for category in workspace.store.categories.list(other.id)}
        after = workspace.store.annotations.submitted(other.id)
        for image_id, boxes in before.items():
            assert [names[box.category_id] for box in boxes] == [back[box.category_id] for box in after[image_id]]
            for one, two in zip(boxes, after[image_id], strict=True):
                assert all(abs(a - b) * 416 <= 0.51 for a, b in zip(one.box.corners, two.box.corners, strict=True))


def test_images_that_were_moved(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    dataset_id = import_pictures(workspace, ImportRequest("Birds"), survey([photos]), quiet).dataset_id
    with pytest.raises(UserError, match="missing"):
        find_moved(workspace, dataset_id, photos, quiet)
    moved = tmp_path / "elsewhere" / "deep"
    moved.parent.mkdir()
    photos.rename(moved)
    gone = next(moved.glob("sub 0/*.jpg"))
    gone.rename(gone.with_name("another name.jpg"))
    changed = next(moved.glob("sub 1/*.jpg"))
    changed.write_bytes(changed.read_bytes() + b"x")
    with pytest.raises(UserError, match="12 missing"):
        find_moved(workspace, dataset_id, workspace.thumbs_folder, quiet)
    report = find_moved(workspace, dataset_id, tmp_path / "elsewhere", quiet)
    assert (report.found, report.missing) == (11, 1)
    assert len(missing_images(workspace, dataset_id)) == 1


def labelled_group(workspace: Workspace, folder: Path) -> tuple[int, dict[str, int]]:
    report = import_pictures(workspace, ImportRequest("x"), survey([folder]), quiet)
    group = workspace.store.groups.create(report.dataset_id, "g")
    return group.id, {image.name: image.id for image in workspace.store.datasets.images(report.dataset_id)}


def test_what_did_not_match_and_mapping(workspace: Workspace, tmp_path: Path) -> None:
    folder, labels = tmp_path / "in", tmp_path / "labels"
    for seed, name in enumerate("abc"):
        save(folder / f"{name}.jpg", seed, 60, 40)
    group, ids = labelled_group(workspace, folder)
    crow = workspace.store.categories.add(group, "Crow", "#ff0000")
    old = Box(crow.id, NormBox(0.5, 0.5, 0.1, 0.1))
    workspace.store.annotations.submit(group, ids["b.jpg"], [old], 0)
    labels.mkdir()
    (labels / "classes.txt").write_text("crow\ntit\nrook\n")
    (labels / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2\n2 0.5 0.5 0.2 0.2\nnonsense\n")
    (labels / "b.txt").write_text("0 0.25 0.25 0.2 0.2\n")
    (labels / "other.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    plan = plan_labels(workspace, 1, group, labels)
    assert [(entry.name, entry.boxes, entry.category is None) for entry in plan.classes] == [
        ("crow", 2, False),
        ("tit", 1, True),
        ("rook", 1, True),
    ]
    assert plan.overwrites == 1 and plan.unlabelled == 1 and len(plan.problems) == 2
    mapping = {**standard_mapping(plan), "tit": None, "rook": "Crow"}
    report = apply_labels(workspace, group, plan, mapping, replace=False)
    assert (report.images, report.boxes, report.kept) == (1, 2, 1)
    after = workspace.store.annotations.submitted(group)
    assert after[ids["b.jpg"]] == (old,) and {box.category_id for box in after[ids["a.jpg"]]} == {crow.id}
    apply_labels(workspace, group, plan, mapping, replace=True)
    assert workspace.store.annotations.submitted(group)[ids["b.jpg"]] != (old,)
    workspace.undo.undo()
    assert workspace.store.annotations.submitted(group) == after
    workspace.undo.undo()
    assert list(workspace.store.annotations.submitted(group)) == [ids["b.jpg"]]


@pytest.mark.parametrize("orientation", [1, 5, 6, 7, 8])
def test_boxes_drawn_on_the_unturned_picture(workspace: Workspace, tmp_path: Path, orientation: int) -> None:
    save(tmp_path / "in" / "a.jpg", 1, 80, 40, orientation=orientation)
    group, ids = labelled_group(workspace, tmp_path / "in")
    (tmp_path / "a.xml").write_text(
        "<annotation><filename>a.jpg</filename><size><width>80</width><height>40</height></size><object><name>x</name>"
        "<bndbox><xmin>0</xmin><ymin>0</ymin><xmax>20</xmax><ymax>4</ymax></bndbox></object></annotation>"
    )
    plan = plan_labels(workspace, 1, group, tmp_path / "a.xml")
    corner = tuple(round(edge, 6) for edge in plan.boxes[ids["a.jpg"]][0][1].corners)
    expected = {
        1: (0, 0, 0.25, 0.1),
        5: (0, 0, 0.1, 0.25),
        6: (0.9, 0, 1, 0.25),
        7: (0.9, 0.75, 1, 1),
        8: (0, 0.75, 0.1, 1),
    }
    assert corner == expected[orientation]


def test_labels_of_another_size(workspace: Workspace, tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.jpg", 1, 60, 40)
    group, ids = labelled_group(workspace, tmp_path / "in")
    text = (
        "<annotation><size><width>{}</width><height>80</height></size><object><name>x</name>"
        "<bndbox><xmin>12</xmin><ymin>8</ymin><xmax>24</xmax><ymax>16</ymax></bndbox></object></annotation>"
    )
    (tmp_path / "a.xml").write_text(text.format(120))
    plan = plan_labels(workspace, 1, group, tmp_path / "a.xml")
    assert plan.boxes[ids["a.jpg"]][0][1].w == pytest.approx(0.1)
    (tmp_path / "a.xml").write_text(text.format(200))
    plan = plan_labels(workspace, 1, group, tmp_path / "a.xml")
    assert plan.boxes == {} and "200 x 80" in plan.problems[0]


def test_no_labels_at_all(workspace: Workspace, tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.jpg")
    group, _ids = labelled_group(workspace, tmp_path / "in")
    with pytest.raises(UserError, match="labels"):
        plan_labels(workspace, 1, group, tmp_path / "in")
    with pytest.raises(UserError, match="submitted"):
        export_labels(workspace, group, "yolo", tmp_path / "out")


def test_category_names_survive_rename_delete_and_reorder(workspace: Workspace, tmp_path: Path) -> None:
    """P3: after every change, export and read back gives each box its category's name."""
    for seed in range(3):
        save(tmp_path / "in" / f"{seed}.jpg", seed)
    group, ids = labelled_group(workspace, tmp_path / "in")
    store = workspace.store
    made = [store.categories.add(group, name, "#ffffff") for name in ("a", "b", "c")]
    for image_id, category in zip(ids.values(), made, strict=True):
        store.annotations.submit(group, image_id, [Box(category.id, NormBox(0.5, 0.5, 0.5, 0.5))], 0)
    store.categories.rename(made[0].id, "first")
    store.categories.delete(made[1].id)
    store.categories.reorder(group, [made[2].id, made[0].id])
    done = export_labels(workspace, group, "yolo", tmp_path / "out")
    assert done.numbers == ((0, "c"), (1, "first")) and done.boxes == 2
    images = {image.file: image for image in read_labelled(done.folder, "yolo", index_of_folder(tmp_path / "in")).images}
    assert [box.name for box in images["0.jpg"].boxes] == ["first"]
    assert images["1.jpg"].boxes == () and [box.name for box in images["2.jpg"].boxes] == ["c"]


@pytest.mark.skipif(not BCCD.is_dir(), reason="the real photographs are not beside this checkout")
def test_real_photographs_with_their_labels(workspace: Workspace) -> None:
    before = hashes(BCCD)
    report = import_pictures(workspace, ImportRequest("Cells"), survey([BCCD / "obj"]), quiet)
    assert report.added == 364
    counts = []
    for source in (BCCD / "voc", BCCD / "obj"):
        group = workspace.store.groups.create(report.dataset_id, source.name)
        plan = plan_labels(workspace, report.dataset_id, group.id, source)
        assert plan.unmatched == () and len(plan.boxes) == 364 and plan.unlabelled == 0
        apply_labels(workspace, group.id, plan, standard_mapping(plan), replace=False)
        summary = workspace.store.groups.summary(group.id)
        assert summary.submitted == 364
        counts.append(summary.boxes)
    assert counts[1] == 4886 and abs(counts[0] - counts[1]) <= 20
    assert hashes(BCCD) == before
