"""What the buttons and pictures of the check before training do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ...core import preflight
from ...core.thumbnails import Thumbnails
from .findings import Picture

if TYPE_CHECKING:
    from .screen import SetupScreen


class Fixing:
    """Of one screen."""

    def __init__(self, screen: SetupScreen) -> None:
        self._screen = screen

    def fix(self, finding: preflight.Finding) -> None:
        screen = self._screen
        action = finding.action[0] if finding.action else ""
        if action == "annotate" and finding.images:
            self.open_image(finding.images[0])
        elif action in ("annotate", "dataset"):
            screen.router.show("annotation" if action == "annotate" else "dataset", experiment_id=screen.experiment_id)
        elif action == "larger":
            screen.apply(replace(screen.setup, size=finding.value))
        elif action == "hold_out":
            screen.apply(replace(screen.setup, valid_percent=finding.value))
        elif screen.material is not None:
            material, experiment = screen.material, screen.experiment_id
            screen.store(lambda: preflight.fix(screen.workspace, experiment, material, action), screen.toast)

    def open_image(self, image_id: int) -> None:
        """In the editor."""
        screen = self._screen
        group = screen.loaded.experiment.group_id if screen.loaded else None
        if group is not None:
            screen.router.show("editor", group_id=group, experiment_id=screen.experiment_id, image_id=image_id)

    def pictures(self, ids: frozenset[int], side_px: int, done: Callable[[Mapping[int, Picture]], object]) -> None:
        """Small pictures of some images of the dataset; those whose files are gone are left out."""
        screen, workspace = self._screen, self._screen.workspace
        shelf = Thumbnails(None if workspace.read_only else workspace.thumbs_folder)

        def work(_progress: object) -> Mapping[int, Picture]:
            images = workspace.run_store(lambda: [workspace.store.datasets.image(image_id) for image_id in sorted(ids)])
            made = ((image.id, shelf.get(image, side_px)) for image in images)
            return {image_id: picture for image_id, picture in made if picture is not None}

        screen.background(work, done)
