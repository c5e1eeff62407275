"""The first tables. A frozen copy, apart from gui.store.tables on purpose: this file must mean the same for ever."""

from __future__ import annotations

from typing import Any

from peewee import (
    SQL,
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
    SqliteDatabase,
    TextField,
)


class Row(Model):
    class Meta:
        legacy_table_names = False


class Setting(Row):
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
    id = AutoField()
    group = ForeignKeyField(AnnotationGroup)
    image = ForeignKeyField(Image)
    revision = IntegerField()
    has_draft = BooleanField()

    class Meta:
        indexes = ((("group", "image"), True),)


class Box(Row):
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
    id = BigAutoField()
    annotation = ForeignKeyField(Annotation)
    category = ForeignKeyField(Category)
    cx = DoubleField()
    cy = DoubleField()
    w = DoubleField()
    h = DoubleField()
    flags = TextField()


class DeletedBox(Row):
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
    run = ForeignKeyField(Run, index=False)
    step = IntegerField()
    image = BlobField()
    position = IntegerField()
    boxes = TextField()

    class Meta:
        primary_key = CompositeKey("run", "step", "image")


class Snapshot(Row):
    run = ForeignKeyField(Run, index=False)
    image_id = IntegerField()
    sha256 = CharField()
    part = CharField()
    boxes = TextField()

    class Meta:
        primary_key = CompositeKey("run", "image_id")


TABLES = (
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


def up(migrator: Any, db: Any) -> None:
    if isinstance(db, SqliteDatabase):
        for table in TABLES:
            key = table._meta.primary_key
            if isinstance(key, AutoField):
                # Without the word SQLite gives the id of a deleted last row to the next one.
                key.constraints = [SQL("AUTOINCREMENT")]
    with db.bind_ctx(TABLES):
        db.create_tables(TABLES, safe=False)
