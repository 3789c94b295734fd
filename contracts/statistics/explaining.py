"""How an answer came about: the releases, their measurement plans, the working of every figure, and why it is private.

Tells nothing that a party does not know or could not reckon: who posted a release, and the digest of its block, are
told of the asker's own alone (with few cells, a digest would let one guess at another payer's block until it fits), and
a row that is not shown has no working. That the parts of a rate stay out without a grant of counts is about what an
answer presents, not a secret: a rate with its interval tells roughly how large its denominator is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.statistics.answers import Key, Row, State, Working
from contracts.statistics.quotients import number
from contracts.statistics.slices import Slice
from contracts.terms import Measured
from privacy.plan import Draw

COUNTED = "counts"
WHY_PRIVATE = (
    "Each release was drawn once, before it was stored: discrete Gaussian noise of the sigmas above in every entry of "
    "every margin, and the exact cells forgotten. Its charge, debited to the provider's ledger before the draw, bounds "
    "what all that is ever made of it can tell about one person (zCDP, add-or-remove). This answer is made of these "
    "releases and the public terms of the contract alone, so it adds nothing to that bound, and nor does asking again "
    "or asking otherwise. What one person may lose over the whole contract, and in several providers' data, stands "
    "under `privacy`. Small-cell suppression is a rule of display and no part of this."
)
AT_SOURCE = (
    " Releases of {feeds} were drawn by their providers, on whose word it rests that the noise is that of the plan."
)


@dataclass(frozen=True, slots=True)
class ReleaseUsed:
    """provider and block_sha256: of the asker's own releases only."""

    id: str
    feed: str
    period: str
    restatement: int
    provider: str | None
    block_sha256: str | None


@dataclass(frozen=True, slots=True)
class PlanUsed:
    """The frozen measurement plan of a feed, and what one release by it charges."""

    feed: str
    draws: tuple[Draw, ...]
    charge_nano: int


@dataclass(frozen=True, slots=True)
class RowExplained:
    """working: None where the row is not shown."""

    key: Key
    figure: str
    state: State
    working: Working | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an answer rests on, and how each of its figures was reckoned."""

    releases: tuple[ReleaseUsed, ...]
    plans: tuple[PlanUsed, ...]
    rows: tuple[RowExplained, ...]
    why_private: str


def explain(asker: str, granted: Sequence[str], slices: Sequence[Slice], rows: Sequence[Row]) -> Explanation:
    """granted: the statistics that the contract grants the asker; without counts the parts of a rate stay out."""
    used = {release.id: release for part in slices for release in part.releases}
    parts_shown = COUNTED in granted
    at_source = list(dict.fromkeys(part.feed.name for part in slices if part.feed.measured is Measured.SOURCE))
    return Explanation(
        releases=tuple(
            ReleaseUsed(
                release.id,
                release.feed,
                release.period,
                release.restatement,
                asker if release.provider == asker else None,
                release.block_sha256 if release.provider == asker else None,
            )
            # By id, not as posted: who came first is nobody else's business.
            for release in sorted(used.values(), key=lambda release: (release.feed, release.period, release.id))
        ),
        # Each once, though the periods before, and each side of a joint answer, may be of the same feed.
        plans=tuple(
            PlanUsed(feed.name, feed.get_plan().draws, feed.get_plan().charge_nano)
            for feed in {part.feed.name: part.feed for part in slices}.values()
        ),
        rows=tuple(
            RowExplained(row.key, row.figure, row.state, row.working and _as_granted(row.working, parts_shown))
            for row in rows
        ),
        why_private=WHY_PRIVATE + (AT_SOURCE.format(feeds=" and ".join(at_source)) if at_source else ""),
    )


def _as_granted(working: Working, parts_shown: bool) -> Working:
    """Of a figure of several parts, however they are put together: the formula in names, which comes before the one in
    numbers. Where a part stands in it by its number, the names alone."""
    if parts_shown or len(working.terms) <= 1:
        return working
    formula = working.formula.partition(" = ")[0]
    if any(number(term.estimate) in formula for term in working.terms):
        formula = f"of {', '.join(term.name for term in working.terms)}"
    formula = f"{formula}; the contract grants you no counts"
    return replace(working, formula=formula, terms=(), covariance=None)
