"""What runs produced: metrics, evaluations, checkpoints, samples.

An index of the run's own folder: reading its events again from the start puts the same rows in the same places.
"""

from __future__ import annotations

from collections.abc import Sequence

from darknet_bridge import NormBox

from ..core.records import CheckpointFile, ClassScore, Evaluation, Metric, SampleBox, SampleShot
from .codec import clean, from_json, from_nan, to_json, to_nan
from .repo_base import Repo
from .tables import Checkpoint as CheckpointRow
from .tables import Evaluation as EvaluationRow
from .tables import Metric as MetricRow
from .tables import Run as RunRow
from .tables import Sample


class RunResults(Repo):
    def add_metrics(self, run_id: int, metrics: Sequence[Metric]) -> None:
        columns = ("run_id", "step", "loss", "avg_loss", "rate", "seconds", "width", "height")
        rows = [
            (run_id, each.step, from_nan(each.loss), from_nan(each.avg_loss), each.rate, each.seconds, each.width, each.height)
            for each in metrics
        ]
        with self._db.transaction():
            self._db.insert_many(MetricRow, columns, rows, keys="run_id,step")

    def metrics(self, run_id: int) -> list[Metric]:
        row = MetricRow
        query = row.select(row.step, row.loss, row.avg_loss, row.rate, row.seconds, row.width, row.height)
        return [
            Metric(step, to_nan(loss), to_nan(average), *rest)
            for step, loss, average, *rest in self._db.rows(query.where(row.run == run_id).order_by(row.step))
        ]

    def add_evaluation(self, run_id: int, evaluation: Evaluation) -> None:
        one = evaluation
        classes = [(each.index, clean(each.name), each.ap, each.tp, each.fp, each.truths) for each in one.classes]
        columns = ("run_id", "step", "map", "precision", "recall", "f1", "avg_iou", "classes")
        figures = map(from_nan, (one.map, one.precision, one.recall, one.f1, one.avg_iou))
        with self._db.transaction():
            self._db.insert_many(EvaluationRow, columns, [(run_id, one.step, *figures, to_json(classes))], keys="run_id,step")

    def evaluations(self, run_id: int) -> list[Evaluation]:
        row = EvaluationRow
        query = row.select(row.step, row.map, row.precision, row.recall, row.f1, row.avg_iou, row.classes)
        return [
            Evaluation(
                *(step, to_nan(score), to_nan(precision), to_nan(recall), to_nan(f1), to_nan(iou)),
                tuple(ClassScore(*each) for each in from_json(classes, [])),
            )
            for step, score, precision, recall, f1, iou, classes in self._db.rows(
                query.where(row.run == run_id).order_by(row.step)
            )
        ]

    def add_checkpoint(self, run_id: int, checkpoint: CheckpointFile) -> None:
        """A file that is written again (best, last) stands at its newest step."""
        values = (run_id, self._paths.to_bytes(checkpoint.path), checkpoint.step, checkpoint.kind, checkpoint.map)
        with self._db.transaction():
            self._db.insert_many(CheckpointRow, ("run_id", "path", "step", "kind", "map"), [values], keys="run_id,path")

    def checkpoints(self, run_id: int) -> list[CheckpointFile]:
        row = CheckpointRow
        query = row.select(row.step, row.path, row.kind, row.map).where(row.run == run_id).order_by(row.step, row.path)
        return [CheckpointFile(step, self._paths.to_path(path), *rest) for step, path, *rest in self._db.rows(query)]

    def add_samples(self, run_id: int, shots: Sequence[SampleShot]) -> None:
        """shots: in the order in which they are shown."""
        rows = [
            (run_id, shot.step, self._paths.to_bytes(shot.image), position, to_json([_values(box) for box in shot.boxes]))
            for position, shot in enumerate(shots)
        ]
        with self._db.transaction():
            self._db.insert_many(Sample, ("run_id", "step", "image", "position", "boxes"), rows, keys="run_id,step,image")

    def samples(self, run_id: int, step: int) -> list[SampleShot]:
        query = Sample.select(Sample.image, Sample.boxes).where((Sample.run == run_id) & (Sample.step == step))
        return [
            SampleShot(step, self._paths.to_path(image), tuple(_box(*each) for each in from_json(boxes, [])))
            for image, boxes in self._db.rows(query.order_by(Sample.position))
        ]

    def sample_steps(self, run_id: int) -> list[int]:
        query = Sample.select(Sample.step).where(Sample.run == run_id).distinct().order_by(Sample.step)
        return [row[0] for row in self._db.rows(query)]

    def truncate(self, run_id: int, after_step: int) -> None:
        """Forgets what lies after a step: a resumed run goes the way from there again."""
        with self._db.transaction():
            for table in (MetricRow, EvaluationRow, CheckpointRow, Sample):
                self._db.run(table.delete().where((table.run == run_id) & (table.step > after_step)))
            best = (RunRow.id == run_id) & (RunRow.best_step > after_step)
            self._db.run(RunRow.update(best_map=None, best_step=None).where(best))
            chosen = (RunRow.id == run_id) & (RunRow.selected_step > after_step)
            self._db.run(RunRow.update(selected_step=None).where(chosen))


def _values(box: SampleBox) -> tuple[int, str, float, float, float, float, float]:
    return box.index, clean(box.name), box.score, box.box.cx, box.box.cy, box.box.w, box.box.h


def _box(index: int, name: str, score: float, *place: float) -> SampleBox:
    return SampleBox(index, name, score, NormBox(*place))
