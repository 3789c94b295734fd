"""The codebook, and the declaration of each statistic."""

from marshmallow import Schema, fields

from api.schemas.fields import one_of
from contracts.parties import Role
from contracts.statistics.answers import Label
from contracts.statistics.codebook import ColumnKind
from contracts.statistics.questions import Compare


class TableColumnSchema(Schema):
    """A column of an answer as CSV or Parquet."""

    name = fields.String(required=True)
    kind = one_of(*ColumnKind, required=True)
    meaning = fields.String(required=True)


class WordSchema(Schema):
    """One of a closed set of words. A later version may have more."""

    name = fields.String(required=True)
    meaning = fields.String(required=True)


class FigureSchema(Schema):
    """A figure that a statistic answers with: `<measure>` and `<unit>` where they are those of a measure."""

    name = fields.String(required=True)
    unit = fields.String(required=True)
    meaning = fields.String(required=True)


class NeedSchema(Schema):
    """A feed that a statistic is computed from."""

    text = fields.String(required=True)
    role = one_of(*Role, required=True, allow_none=True)
    dimensions = fields.List(fields.String(), required=True)
    measures = fields.List(fields.String(), required=True)
    condition = fields.String(required=True)
    linked = fields.Boolean(required=True, allow_none=True)


class DeclarationSchema(Schema):
    """All that a statistic declares."""

    name = fields.String(required=True)
    title = fields.String(required=True)
    estimand = fields.String(required=True)
    formula = fields.String(required=True)
    source = fields.String(required=True)
    label = one_of(*Label, required=True)
    figures = fields.List(fields.Nested(FigureSchema), required=True)
    needs = fields.List(fields.Nested(NeedSchema), required=True)
    own_dimensions = fields.List(fields.String(), required=True)
    interval_method = fields.String(required=True)
    interval_covers = fields.String(required=True)
    total_interval_covers = fields.String(required=True, allow_none=True)
    compares = fields.List(one_of(*Compare), required=True)
    subjects = fields.List(fields.String(), required=True)
    whole_pools = fields.Boolean(required=True)
    settled_only = fields.Boolean(required=True)


class CodebookSchema(Schema):
    """What every column, word and figure of an answer means."""

    columns = fields.List(fields.Nested(TableColumnSchema), required=True)
    states = fields.List(fields.Nested(WordSchema), required=True)
    flags = fields.List(fields.Nested(WordSchema), required=True)
    labels = fields.List(fields.Nested(WordSchema), required=True)
    units = fields.List(fields.Nested(WordSchema), required=True)
    statistics = fields.List(fields.Nested(DeclarationSchema), required=True)
