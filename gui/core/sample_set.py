"""The generated sample set as a dataset with labels: for a first run without pictures of one's own. Nothing is downloaded."""

from __future__ import annotations

from darknet_bridge.samples import NAMES, render_samples

from .import_images import ImportReport, ImportRequest, import_pictures, incoming_folder
from .import_labels import apply_labels, plan_labels, standard_mapping
from .records import Storage
from .scan import Progress, survey
from .workspace import Workspace

SAMPLE_NAME = "Forest floor (sample)"
GROUP_NAME = "Sample labels"
_PICTURES = 200


def add_sample_set(workspace: Workspace, name: str, progress: Progress, pictures: int = _PICTURES) -> ImportReport:
    """In a background thread. Draws, imports and labels the pictures: ladybirds, leaves and mushrooms. Raises CancelledError."""
    with incoming_folder(workspace) as drawn:
        held_out = max(1, pictures // 5)

        def drawing(done: int, total: int) -> None:
            progress(done, 2 * total, "Drawing pictures")

        render_samples(drawn, pictures - held_out, held_out, progress=drawing)
        request = ImportRequest(name, Storage.COPY)
        found = survey([drawn])
        report = import_pictures(workspace, request, found, lambda done, total, text: progress(total + done, 2 * total, text))
        group = workspace.run_store(lambda: workspace.store.groups.create(report.dataset_id, GROUP_NAME))
        plan = plan_labels(workspace, report.dataset_id, group.id, drawn, "yolo")
        mapping = {name: standard_mapping(plan)[name] for name in NAMES}
        workspace.run_store(lambda: apply_labels(workspace, group.id, plan, mapping, replace=True))
    workspace.changes.publish("groups", "datasets")
    return ImportReport(report.dataset_id, report.added, (), report.duplicates)
