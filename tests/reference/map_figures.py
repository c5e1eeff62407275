"""Random detections and truths with their mAP figures, computed with numpy, for tests/native/test_map.cpp.

    python tests/reference/map_figures.py tests/golden/map_random

writes map_random.npz; npz_to_f32.py turns it into the files that the tests read. The figures follow darknet.md 7.1 and share
no code with the engine.
"""

from __future__ import annotations

import sys
import zipfile

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
IMAGES, CLASSES, IOU_THRESH, CONF_THRESH = 30, 4, 0.5, 0.25


def iou(a: Floats, b: Floats) -> Floats:
    """IoU of one box with many; boxes are centre and size."""
    low = np.maximum(a[:2] - a[2:] / 2, b[:, :2] - b[:, 2:] / 2)
    high = np.minimum(a[:2] + a[2:] / 2, b[:, :2] + b[:, 2:] / 2)
    common = np.clip(high - low, 0, None).prod(axis=1)
    return np.asarray(common / (a[2] * a[3] + b[:, 2] * b[:, 3] - common))


def boxes_of(rng: np.random.Generator, image: int, count: int) -> Floats:
    """Labelled boxes (image, class, box); the last class has none."""
    places, sizes = rng.uniform(0.2, 0.8, (count, 2)), rng.uniform(0.1, 0.4, (count, 2))
    return np.column_stack([np.full(count, image), rng.integers(0, CLASSES - 1, count), places, sizes])


def make_image(rng: np.random.Generator, image: int) -> tuple[Floats, Floats, Floats]:
    """Detections (image, box, probabilities), truths and difficult truths (image, class, box) of one image."""
    truths, hard = boxes_of(rng, image, int(rng.integers(0, 6))), boxes_of(rng, image, int(rng.integers(0, 3)))
    labelled = np.concatenate([truths, hard])
    rows = []
    for _ in range(int(rng.integers(0, 16))):
        box = np.concatenate([rng.uniform(0.2, 0.8, 2), rng.uniform(0.1, 0.4, 2)])
        probs = np.where(rng.random(CLASSES) < 0.8, 0, rng.integers(1, 40, CLASSES) / 64)
        if len(labelled) and rng.random() < 0.75:
            pick = labelled[rng.integers(0, len(labelled))]
            box = pick[2:] * rng.uniform(0.93, 1.07, 4)
            probs[int(pick[1])] = rng.integers(10, 64) / 64
        rows.append([image, *box, *probs])
    return np.array(rows).reshape(-1, 5 + CLASSES), truths, hard


def candidates(dets: Floats, truths: Floats, hard: Floats) -> list[tuple[int, float, int, float]]:
    """(class, probability, index of the matched truth or -1, IoU) in array order."""
    found = []
    for row in dets:
        for c in range(CLASSES):
            if row[5 + c] <= 0:
                continue
            mine = np.flatnonzero((truths[:, 0] == row[0]) & (truths[:, 1] == c))
            overlaps = iou(row[1:5], truths[mine, 2:])
            if mine.size and overlaps.max() > IOU_THRESH:
                found.append((c, float(row[5 + c]), int(mine[overlaps.argmax()]), float(overlaps.max())))
                continue
            dont_care = hard[(hard[:, 0] == row[0]) & (hard[:, 1] == c)]
            if not (iou(row[1:5], dont_care[:, 2:]) > IOU_THRESH).any():
                found.append((c, float(row[5 + c]), -1, 0.0))
    return found


def average_precision(probs: Floats, matches: NDArray[np.int64], truths: int) -> tuple[float, float, float]:
    """AP as area, and at 11 and 101 recalls."""
    if truths == 0 or probs.size == 0:
        return 0.0, 0.0, 0.0
    order = np.argsort(-probs, kind="stable")
    ranked = matches[order]
    first = np.zeros(ranked.size, bool)
    first[np.unique(ranked, return_index=True)[1]] = True
    hits = np.cumsum(first & (ranked >= 0))
    recall, precision = hits / truths, hits / np.arange(1, hits.size + 1)
    wide_r, wide_p = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
    envelope = np.maximum.accumulate(wide_p[::-1])[::-1]
    area = float(np.sum(np.diff(wide_r) * envelope[1:]))
    sampled = [np.mean([precision[recall >= k / (n - 1)].max(initial=0) for k in range(n)]) for n in (11, 101)]
    return area, float(sampled[0]), float(sampled[1])


def counts(found: list[tuple[int, float, int, float]]) -> Floats:
    """Per class above CONF_THRESH: TP, FP, sum of the IoU of TP."""
    totals = np.zeros((CLASSES, 3))
    seen: set[int] = set()
    for c, prob, truth, overlap in found:
        hit = truth >= 0 and truth not in seen
        seen.add(truth)
        if prob > CONF_THRESH:
            totals[c] += [hit, not hit, overlap if hit else 0]
    return totals


def figures(found: list[tuple[int, float, int, float]], truths: Floats) -> dict[str, Floats]:
    """The expected figures of one run."""
    aps = []
    for c in range(CLASSES):
        probs = np.array([prob for of, prob, _, _ in found if of == c])
        matches = np.array([truth for of, _, truth, _ in found if of == c], dtype=np.int64)
        aps.append(average_precision(probs, matches, int((truths[:, 1] == c).sum())))
    return {"ap": np.array(aps), "counts": counts(found), "candidates": np.array([float(len(found))])}


def main(target: str) -> None:
    """Write the figures without and with the difficult truths."""
    rng = np.random.default_rng(11)
    images = [make_image(rng, i) for i in range(IMAGES)]
    dets, truths, hard = (np.concatenate(parts).astype(np.float32).astype(np.float64) for parts in zip(*images, strict=True))
    arrays = {"detections": dets, "truths": truths, "difficult": hard}
    for name, dont_care in (("plain", hard[:0]), ("spared", hard)):
        for figure, values in figures(candidates(dets, truths, dont_care), truths).items():
            arrays[f"{name}_{figure}"] = values
    with zipfile.ZipFile(target + ".npz", "w") as archive:
        for key, values in arrays.items():
            with archive.open(key + ".npy", "w") as member:
                np.lib.format.write_array(member, values.astype(np.float32), allow_pickle=False)


if __name__ == "__main__":
    main(sys.argv[1])
