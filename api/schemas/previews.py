"""What a preview is asked for, and what it answers."""

from marshmallow import Schema, fields

from api.schemas.contracts import ContractDocumentSchema
from api.schemas.fields import SHORT, Form, name_list, one_of
from api.schemas.ledger import LossAtDeltaSchema, loss_json
from api.schemas.settlements import SettlementOddsSchema, odds_json
from contracts.ledger.statements import Loss
from contracts.parties import JsonObject
from contracts.periods import Grain
from contracts.predicting import By, Width
from contracts.previewing import (
    ASSUMPTIONS,
    CurvePoint,
    FeedPreview,
    LinkedPreview,
    Preview,
    RestatementPrice,
    TableRow,
    attacker,
)
from contracts.wishes import EXAMPLE, FORM, Budget
from privacy.accuracy import CONFIDENCE
from privacy.units import rho_text

MAX_ACCURACIES = 20


class PreviewRequestSchema(Form):
    """A contract document as it would be drafted, and accuracies that are wanted."""

    document = fields.Nested(ContractDocumentSchema, required=True)
    accuracy = name_list(
        SHORT,
        least=0,
        most=MAX_ACCURACIES,
        load_default=list,
        metadata={"description": f"{FORM}, like {EXAMPLE}."},
    )


class WidthSchema(Schema):
    """How exact one row of an answer will be that adds up so many periods of so many providers."""

    periods = fields.Integer(required=True)
    providers = fields.Integer(required=True)
    expected = fields.Float(
        required=True, allow_none=True, metadata={"description": "Expected size of the row's cell, if stated."}
    )
    half_width = fields.Float(required=True, metadata={"description": "Of the noise interval, in the figure's unit."})
    relative = fields.Float(
        required=True, allow_none=True, metadata={"description": "half_width / expected, of counts."}
    )
    total_half_width = fields.Float(
        required=True, allow_none=True, metadata={"description": "With sampling, of rates whose cells identify it."}
    )


class PreviewRowSchema(Schema):
    """One figure in one table."""

    by = fields.List(fields.String(), required=True)
    cells = fields.Integer(required=True)
    figure = fields.String(required=True)
    unit = fields.String(required=True)
    widths = fields.List(fields.Nested(WidthSchema), required=True)


class TableWidthSchema(Schema):
    by = fields.List(fields.String(), required=True)
    half_width = fields.Float(required=True)


class RestatementPriceSchema(Schema):
    """The same ceiling with so many scheduled restatements. half_widths is empty when no plan is that cheap."""

    restatements = fields.Integer(required=True)
    releases_paid = fields.Integer(required=True)
    charge = fields.Nested(LossAtDeltaSchema, required=True)
    half_widths = fields.List(fields.Nested(TableWidthSchema), required=True)


class CurvePointSchema(Schema):
    """The leading figure at another ceiling of the feed."""

    rho = fields.String(required=True)
    rho_nano = fields.Integer(required=True)
    epsilon = fields.Float(required=True)
    half_widths = fields.List(fields.Nested(TableWidthSchema), required=True)


class LeadSchema(Schema):
    """What `restatements` and `curve` are about: one figure, in one period of all providers."""

    figure = fields.String(required=True)
    unit = fields.String(required=True)
    providers = fields.Integer(required=True)


class LinkedPreviewSchema(Schema):
    """What a linked feed costs besides: a person of the population of the brand whose flag is in its cells."""

    organisation = fields.String(required=True)
    population = fields.String(required=True)
    over_term = fields.Nested(LossAtDeltaSchema, required=True)
    one_release = fields.Nested(LossAtDeltaSchema, required=True)


class FeedPreviewSchema(Schema):
    """One feed: what it costs and what it gives."""

    feed = fields.String(required=True)
    provider = fields.String(required=True)
    providers = fields.Integer(required=True)
    grain = one_of(*Grain, required=True)
    periods = fields.Integer(required=True)
    k = fields.Integer(required=True)
    over_term = fields.Nested(LossAtDeltaSchema, required=True)
    one_release = fields.Nested(LossAtDeltaSchema, required=True)
    linked = fields.Nested(LinkedPreviewSchema, required=True, allow_none=True)
    plan = fields.List(fields.String(), required=True)
    notes = fields.List(fields.String(), required=True)
    rows = fields.List(fields.Nested(PreviewRowSchema), required=True)
    lead = fields.Nested(LeadSchema, required=True)
    restatements = fields.List(fields.Nested(RestatementPriceSchema), required=True)
    curve = fields.List(fields.Nested(CurvePointSchema), required=True)


class LossToAttackerSchema(LossAtDeltaSchema):
    """A loss, and what it lets somebody learn who knows everything but one person and starts at even odds."""

    certain_at_most = fields.Float(
        required=True, metadata={"description": "How sure they can become, except with probability delta."}
    )
    right_guesses = fields.Float(required=True, metadata={"description": "How often their best guess is right."})


class BudgetSchema(Schema):
    """The answer to one wanted accuracy. It is about one row of an answer that pools all providers."""

    accuracy = fields.String(required=True)
    feed = fields.String(required=True)
    figure = fields.String(required=True)
    by = fields.List(fields.String(), required=True)
    periods = fields.Integer(required=True)
    providers = fields.Integer(required=True)
    wanted = fields.Float(required=True)
    unit = fields.String(required=True)
    now = fields.Float(required=True, metadata={"description": "Half-width at the feed's rho as the contract stands."})
    smallest = fields.Nested(
        LossAtDeltaSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The least rho of the feed that reaches it; null where the ceiling does not."},
    )
    fits = fields.Boolean(
        required=True,
        metadata={"description": "The ceilings pay for it beside the other feeds, of a linked one the brand's too."},
    )
    ceiling = fields.Nested(LossAtDeltaSchema, required=True)
    at_ceiling = fields.Float(required=True, metadata={"description": "Half-width if the feed took the whole ceiling."})


class PreviewSchema(Schema):
    """What a contract would give and cost. Nothing is stored, and there is no data in it."""

    contract_id = fields.String(required=True)
    confidence = fields.Float(required=True)
    assumptions = fields.List(fields.String(), required=True)
    feeds = fields.List(fields.Nested(FeedPreviewSchema), required=True)
    unit = fields.String(required=True)
    several_providers = fields.String(required=True)
    ceilings = fields.Dict(keys=fields.String(), values=fields.Nested(LossToAttackerSchema), required=True)
    providers_at_most = fields.Integer(required=True)
    unit_ceiling = fields.Nested(LossToAttackerSchema, required=True)
    one_person_in_everything = fields.Nested(LossToAttackerSchema, required=True)
    budgets = fields.List(fields.Nested(BudgetSchema), required=True)
    unanswered = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Statistics that the contract grants and its feeds cannot answer."},
    )
    without_widths = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Statistics that it grants and can answer, of which no width is predicted here."},
    )
    settlement = fields.Nested(
        SettlementOddsSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null where the contract settles on nothing."},
    )


def preview_json(preview: Preview) -> JsonObject:
    limits = preview.ceilings
    return {
        "contract_id": preview.terms.id,
        "confidence": CONFIDENCE,
        "assumptions": list(ASSUMPTIONS),
        "feeds": [_feed(feed) for feed in preview.feeds],
        "unit": limits.unit,
        "several_providers": limits.adds_up,
        "ceilings": {name: _to_attacker(lost) for name, lost in limits.of_populations.items()},
        "providers_at_most": limits.providers_at_most,
        "unit_ceiling": _to_attacker(limits.of_unit),
        "one_person_in_everything": _to_attacker(limits.everything),
        "budgets": [_budget(budget) for budget in preview.budgets],
        "unanswered": list(preview.unanswered),
        "without_widths": list(preview.without_widths),
        "settlement": None if preview.settlement is None else odds_json(preview.settlement),
    }


def _feed(found: FeedPreview) -> JsonObject:
    feed, lead = found.feed, found.lead
    return {
        "feed": feed.name,
        "provider": feed.provider.value,
        "providers": found.providers,
        "grain": feed.grain.value,
        "periods": len(feed.periods),
        "k": feed.k,
        "over_term": loss_json(found.over_term),
        "one_release": loss_json(found.one_release),
        "linked": _linked(found.linked) if found.linked else None,
        "plan": list(found.plan),
        "notes": list(found.notes),
        "rows": [_row(row) for row in found.rows],
        "lead": {"figure": lead.figure.name, "unit": lead.unit, "providers": lead.span.providers},
        "restatements": [_price(price) for price in found.restatements],
        "curve": [_point(point) for point in found.curve],
    }


def _linked(linked: LinkedPreview) -> JsonObject:
    return {
        "organisation": linked.organisation,
        "population": linked.population,
        "over_term": loss_json(linked.over_term),
        "one_release": loss_json(linked.one_release),
    }


def _row(row: TableRow) -> JsonObject:
    return {
        "by": list(row.by),
        "cells": row.cells,
        "figure": row.figure,
        "unit": row.unit,
        "widths": [_width(width) for width in row.widths],
    }


def _width(width: Width) -> JsonObject:
    return {
        "periods": width.span.periods,
        "providers": width.span.providers,
        "expected": width.expected,
        "half_width": width.half_width,
        "relative": width.relative,
        "total_half_width": width.total,
    }


def _price(price: RestatementPrice) -> JsonObject:
    return {
        "restatements": price.restatements,
        "releases_paid": price.releases_paid,
        "charge": loss_json(price.charge),
        "half_widths": _by_table(price.half_widths),
    }


def _point(point: CurvePoint) -> JsonObject:
    return {
        "rho": rho_text(point.rho_nano),
        "rho_nano": point.rho_nano,
        "epsilon": point.epsilon,
        "half_widths": _by_table(point.half_widths),
    }


def _by_table(half_widths: tuple[tuple[By, float], ...]) -> list[JsonObject]:
    return [{"by": list(by), "half_width": half_width} for by, half_width in half_widths]


def _to_attacker(lost: Loss) -> JsonObject:
    learns = attacker(lost)
    return loss_json(lost) | {"certain_at_most": learns.certain_at_most, "right_guesses": learns.right_guesses}


def _budget(budget: Budget) -> JsonObject:
    wish = budget.wish
    return {
        "accuracy": wish.text,
        "feed": wish.figure.feed.name,
        "figure": wish.figure.name,
        "by": list(wish.by),
        "periods": wish.span.periods,
        "providers": wish.span.providers,
        "wanted": wish.wanted,
        "unit": wish.unit,
        "now": wish.value(budget.now),
        "smallest": loss_json(budget.smallest) if budget.smallest else None,
        "fits": budget.fits,
        "ceiling": loss_json(budget.most),
        "at_ceiling": wish.value(budget.at_most),
    }
