"""Clauses of the contract document about statistics: roll-ups, public weights, rollout, settlement, links."""

from marshmallow import fields, validate

from api.schemas.fields import DECIMAL, NAME, SHORT, SLUG, VALUE, Form, WholeNumber, mapping, name_list, one_of, text
from contracts.periods import Grain


class DimensionRollupSchema(Form):
    """A coarser dimension: each of its values, with those that it is made of."""

    of = text(NAME, required=True)
    groups = mapping(name_list(VALUE), keys=VALUE, least=1, required=True)


class RollupsSchema(Form):
    """Declared roll-ups: by which coarser grains of time, and coarser dimensions, an answer may go, and from what."""

    period = mapping(one_of(*Grain), keys=validate.OneOf([g.value for g in Grain]), load_default=dict)
    # Left out where it is: documents of before this term keep their form, and so their digest.
    dimensions = mapping(fields.Nested(DimensionRollupSchema))


class LinkedSchema(Form):
    """That the payer computes a feed with a brand's flag: in which dimension it stands, and whose it is."""

    dimension = text(NAME, required=True)
    organisation = text(SLUG, required=True)


class WeightSchema(Form):
    """The public weight of one stratum."""

    stratum = mapping(text(VALUE), required=True)
    weight = WholeNumber(maximum=10**12, required=True)


class StandardSchema(Form):
    """Public weights, such as those of a standard population."""

    name = text(NAME, required=True)
    source = text(SHORT, required=True)
    by = name_list(NAME, most=8, required=True)
    weights = fields.List(fields.Nested(WeightSchema), required=True, validate=validate.Length(1, 1000))


class RolloutSchema(Form):
    """That a programme was rolled out by one dimension and time."""

    dimension = text(NAME, required=True)
    starts = mapping(text(SHORT), keys=VALUE, least=1, required=True)


class SettlementSchema(Form):
    """What an outcomes-based contract settles on. Recorded and signed."""

    statistic = text(NAME, required=True)
    target = text(DECIMAL, required=True)
    period = text(SHORT, required=True)
    as_of = one_of("final", required=True)
    decide_at = text(DECIMAL, required=True)
    undecided = text(SHORT, required=True)
    accept_measured_at_source = fields.Boolean(truthy={True}, falsy={False}, load_default=False)
    # Left out where it is: documents of before this term keep their form, and so their digest.
    feed = text(NAME)
