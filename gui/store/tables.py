"""The tables as they are now. Models are column names for queries: no row ever becomes an instance of one.

They know no database, so that two libraries can be open at once; gui.store.database runs the queries. A change here needs a
numbered file in migrations/, and tests/store compares the two. Deletes are soft (deleted_at), except of boxes, whose rows move to
deleted_box. Texts in bytes columns are file names and paths, which need not be UTF-8.
"""

from __future__ import annotations

from peewee import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)


class Row(Model):
    class Meta:
        legacy_table_names = False


class Setting(Row):
    """value: JSON."""

    key = CharField(primary_key=True)
    value = TextField()


class Dataset(Row):
    id = AutoField()
    name = TextField()
    created_at = DoubleField()
    storage = CharField()
    folder = BlobField(null=True)
    deleted_at = DoubleField(null=True)


class Image(Row):
    """dhash: the 64 bits read as a signed number, since neither database has unsigned ones."""

    id = AutoField()
    dataset = ForeignKeyField(Dataset)
    path = BlobField()
    name = BlobField()
    width = IntegerField()
    height = IntegerField()
    bytes = BigIntegerField()
    sha256 = CharField(index=True)
    dhash = BigIntegerField()
    orientation = IntegerField()
    format = CharField()
    split_key = TextField()
    video = BlobField(null=True)
    time_ms = BigIntegerField(null=True)
    deleted_at = DoubleField(null=True)


class AnnotationGroup(Row):
    id = AutoField()
    dataset = ForeignKeyField(Dataset)
    name = TextField()
    created_at = DoubleField()
    deleted_at = DoubleField(null=True)


class Category(Row):
    id = AutoField()
    group = ForeignKeyField(AnnotationGroup)
    name = TextField()
    colour = CharField()
    position = IntegerField()
    deleted_at = DoubleField(null=True)


class Annotation(Row):
    """What a group knows of an image. revision counts submissions, 0 is none; has_draft also with no boxes in the draft."""

    id = AutoField()
    group = ForeignKeyField(AnnotationGroup)
    image = ForeignKeyField(Image)
    revision = IntegerField()
    has_draft = BooleanField()

    class Meta:
        indexes = ((("group", "image"), True),)


class Box(Row):
    """Submitted boxes."""

    id = BigAutoField()
    annotation = ForeignKeyField(Annotation)
    category = ForeignKeyField(Category, index=False)
    cx = DoubleField()
    cy = DoubleField()
    w = DoubleField()
    h = DoubleField()
    flags = TextField()

    class Meta:
        indexes = ((("category", "annotation"), False),)


class DraftBox(Row):
    """Boxes not submitted yet."""

    id = BigAutoField()
    annotation = ForeignKeyField(Annotation)
    category = ForeignKeyField(Category)
    cx = DoubleField()
    cy = DoubleField()
    w = DoubleField()
    h = DoubleField()
    flags = TextField()


class DeletedBox(Row):
    """Boxes of deleted categories, for undo. moved: the box still stands, under another category."""

    category = ForeignKeyField(Category)
    draft = BooleanField()
    moved = BooleanField()
    box_id = BigIntegerField()
    annotation = ForeignKeyField(Annotation, index=False)
    cx = DoubleField()
    cy = DoubleField()
    w = DoubleField()
    h = DoubleField()
    flags = TextField()

    class Meta:
        primary_key = CompositeKey("category", "draft", "box_id")


class Experiment(Row):
    """setup: JSON."""

    id = AutoField()
    name = TextField()
    created_at = DoubleField()
    changed_at = DoubleField()
    dataset = ForeignKeyField(Dataset, null=True)
    group = ForeignKeyField(AnnotationGroup, null=True)
    step = CharField()
    setup = TextField()
    notes = TextField()
    archived = BooleanField()
    deleted_at = DoubleField(null=True)


class Run(Row):
    """options, classes, tags: JSON."""

    id = AutoField()
    experiment = ForeignKeyField(Experiment)
    number = IntegerField()
    state = CharField()
    model = CharField()
    folder = BlobField()
    created_at = DoubleField()
    total_steps = IntegerField()
    first_step = IntegerField()
    done_steps = IntegerField()
    parent = ForeignKeyField("self", null=True)
    started_at = DoubleField(null=True)
    ended_at = DoubleField(null=True)
    seconds = DoubleField()
    best_map = DoubleField(null=True)
    best_step = IntegerField(null=True)
    selected_step = IntegerField(null=True)
    reason = TextField()
    start_weights = BlobField()
    kept = TextField()
    options = TextField()
    classes = TextField()
    images_train = IntegerField()
    images_valid = IntegerField()
    notes = TextField()
    tags = TextField()
    deleted_at = DoubleField(null=True)


class Metric(Row):
    """NULL in loss and avg_loss is nan, which SQLite can't store."""

    run = ForeignKeyField(Run, index=False)
    step = IntegerField()
    loss = DoubleField(null=True)
    avg_loss = DoubleField(null=True)
    rate = DoubleField()
    seconds = DoubleField()
    width = IntegerField()
    height = IntegerField()

    class Meta:
        primary_key = CompositeKey("run", "step")


class Evaluation(Row):
    """classes: JSON."""

    run = ForeignKeyField(Run, index=False)
    step = IntegerField()
    map = DoubleField(null=True)
    precision = DoubleField(null=True)
    recall = DoubleField(null=True)
    f1 = DoubleField(null=True)
    avg_iou = DoubleField(null=True)
    classes = TextField()

    class Meta:
        primary_key = CompositeKey("run", "step")


class Checkpoint(Row):
    run = ForeignKeyField(Run, index=False)
    path = BlobField()
    step = IntegerField()
    kind = CharField()
    map = DoubleField(null=True)

    class Meta:
        primary_key = CompositeKey("run", "path")


class Sample(Row):
    """boxes: JSON."""

    run = ForeignKeyField(Run, index=False)
    step = IntegerField()
    image = BlobField()
    position = IntegerField()
    boxes = TextField()

    class Meta:
        primary_key = CompositeKey("run", "step", "image")


class Snapshot(Row):
    """What a run was given of an image. boxes: JSON, [[index, cx, cy, w, h], ...]. No key to image: a run outlives it."""

    run = ForeignKeyField(Run, index=False)
    image_id = IntegerField()
    sha256 = CharField()
    part = CharField()
    boxes = TextField()

    class Meta:
        primary_key = CompositeKey("run", "image_id")


# Every table, each after those it refers to.
TABLES: tuple[type[Row], ...] = (
    Setting,
    Dataset,
    Image,
    AnnotationGroup,
    Category,
    Annotation,
    Box,
    DraftBox,
    DeletedBox,
    Experiment,
    Run,
    Metric,
    Evaluation,
    Checkpoint,
    Sample,
    Snapshot,
)
