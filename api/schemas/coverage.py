"""Coverage: which periods of a feed are open, and what the caller posted itself."""

from dataclasses import asdict

from marshmallow import Schema, fields

from api.schemas.paging import PageSchema
from contracts.asking import FeedCoverage
from contracts.parties import JsonObject


class CoveredPeriodSchema(Schema):
    """How many providers are pooled in a period, and which measurements of it: 0 the first, 1, 2, ... restatements."""

    period = fields.String(required=True)
    providers = fields.Integer(required=True)
    restatements = fields.List(fields.Integer(), required=True)


class CoverageSchema(Schema):
    """Which periods of a feed an answer rests on. providers: all that post it; fewest and most: those pooled."""

    feed = fields.String(required=True)
    asked = fields.List(fields.String(), required=True)
    covered = fields.List(fields.String(), required=True)
    missing = fields.List(fields.String(), required=True)
    provisional = fields.List(fields.String(), required=True)
    providers = fields.Integer(required=True)
    providers_fewest = fields.Integer(required=True)
    providers_most = fields.Integer(required=True)
    rests_on = fields.List(fields.Nested(CoveredPeriodSchema), required=True)
    compared = fields.Boolean(
        required=True, metadata={"description": "Whether these are the periods before, with which is compared."}
    )


class OwnReleaseSchema(Schema):
    """A release of the caller's own."""

    release_id = fields.String(required=True)
    submission_id = fields.String(required=True)
    period = fields.String(required=True)
    restatement = fields.Integer(required=True)
    provisional = fields.Boolean(required=True)
    released_at = fields.AwareDateTime(format="iso", required=True)


class FeedCoverageSchema(CoverageSchema):
    """What is open to the caller, and what it posted itself."""

    own_releases = fields.List(fields.Nested(OwnReleaseSchema), required=True)


class ReleasesSchema(PageSchema):
    """Every feed, with those of the releases of your own that are on this page."""

    feeds = fields.List(fields.Nested(FeedCoverageSchema), required=True)


def coverage_json(found: FeedCoverage, shown: frozenset[str]) -> JsonObject:
    """shown: the own releases that are on this page, by id."""
    own = [
        {
            "release_id": release.id,
            "submission_id": release.submission_id,
            "period": release.period,
            "restatement": release.restatement,
            "provisional": release.provisional,
            "released_at": release.released_at,
        }
        for release in found.own_releases
        if release.id in shown
    ]
    return asdict(found.coverage) | {"own_releases": own}
