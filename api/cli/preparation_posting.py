"""Cells that are posted as they are prepared, without a file."""

from collections.abc import Sequence
from uuid import UUID

from adapters.client.exchange import ExchangeClient
from adapters.preparation.manifest import Prepared
from adapters.preparation.preparing import PeriodPrepared
from adapters.preparation.writing import encode_posted
from api.cli.commands.submit import require_due_here, require_of_terms
from api.cli.output import Failure, tell
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.terms import FeedTerms, Measured


def require_postable(client: ExchangeClient, prepared: Prepared, periods: Sequence[Period]) -> None:
    """Whether the exchange would take these periods of prepared cells, before they are made. Raises Failure."""
    feed, terms = prepared.feed, prepared.terms
    if feed.measured is Measured.SOURCE:
        raise Failure(
            f"{feed.name} is measured at source: prepare a file with --out, and draw its release: parley measure"
        )
    require_of_terms(terms.id, terms.version, prepared.digest, client.get_contract(terms.id))
    for period in periods:
        require_due_here(feed, str(period), prepared.restatement)


def post_prepared(
    client: ExchangeClient, feed: FeedTerms, prepared: PeriodPrepared, *, empty: bool, submission_id: UUID | None
) -> JsonObject:
    """The receipt. Raises Failure for a period without anybody, unless `empty` means that."""
    label = prepared.label
    if not prepared.summary.counts.strata and not empty:
        raise Failure(f"{label.period} has nobody in it. If it really is zero, repeat with --empty: it is final.")
    submission = str(submission_id or label.submission_id)
    tell(f"Submission id: {submission} (if no answer comes, repeat with --submission-id)")
    table = encode_posted(feed, prepared.cells.columns)
    return client.submit_table(
        label.contract_id, feed.name, label.period, table, submission_id=submission, restatement=label.restatement
    )
