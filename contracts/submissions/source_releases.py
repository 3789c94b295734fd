"""What a provider posts instead of cells when it measures at source: the noisy vectors of the frozen plan.

The exchange cannot see whether the noise is what the plan says; that rests on the provider's word, and every release
says so. What it can see it checks, before any debit: that the release was drawn under this very contract, by the plan
of this very feed, and that its vectors have the form which the exchange's own draws have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Final

import numpy as np

from contracts.parties import JsonObject
from contracts.refusals import Fault, MeasuredAtSource, MeasuredInExchange, ReleaseInvalid, first_faults
from contracts.terms import FeedTerms, Measured, write_draws
from privacy.arrays import Vector
from privacy.plan import Draw

# Far beyond any count with its noise, and small enough that the sums of answers, over at most 100 providers and
# 1,200 periods (below 2^17 releases), stay in 64 bits.
MAX_NOISY: Final = 2**46


@dataclass(frozen=True, slots=True)
class SourceRelease:
    """A release as it was posted, its form checked at the door.

    contract_digest, generation: under which terms it was drawn. draws: the ledger event of each draw of the plan, in
    its order, with the noisy vector as `noisy`: one whole number an entry of the margin, the last dimension fastest.
    """

    contract_digest: str
    generation: str
    draws: Sequence[JsonObject]


def require_place(feed: FeedTerms, posted: object) -> None:
    """Cells are posted to feeds that the exchange measures, releases to those measured at source.

    Raises MeasuredAtSource, without a look at the cells, or MeasuredInExchange.
    """
    is_release = isinstance(posted, SourceRelease)
    if feed.measured is Measured.SOURCE and not is_release:
        raise MeasuredAtSource(
            f"The feed {feed.name} is measured at source: the exchange must never see its exact cells. Nothing of them "
            "was looked at or kept. Draw the release on your own premises (`parley measure`) and post that."
        )
    if feed.measured is Measured.EXCHANGE and is_release:
        raise MeasuredInExchange(
            f"The feed {feed.name} is measured by the exchange, and its contract does not trust noise drawn elsewhere. "
            "Post the cells, as rows or columns."
        )


def write_release(contract_digest: str, feed: FeedTerms, vectors: dict[str, Vector]) -> JsonObject:
    """The release as it is posted: the ledger event of each draw, with what was drawn."""
    plan = feed.get_plan()
    drawn = zip(plan.draws, write_draws(plan), strict=True)
    return {
        "contract_digest": contract_digest,
        "generation": feed.generation,
        "draws": [{**event, "noisy": vectors[draw.name].tolist()} for draw, event in drawn],
    }


def read_release(contract_digests: Sequence[str], feed: FeedTerms, release: SourceRelease) -> dict[str, Vector]:
    """The noisy vectors by the name of their draw. Raises ReleaseInvalid with the first faults.

    contract_digests: of the versions in which the feed is the same, under any of which it may have been drawn.
    """
    _refuse(chain(_origin_faults(contract_digests, feed, release), _plan_faults(feed, release.draws)))
    drawn = list(zip(feed.get_plan().draws, (event["noisy"] for event in release.draws), strict=True))
    _refuse(chain.from_iterable(_vector_faults(feed, i, draw, noisy) for i, (draw, noisy) in enumerate(drawn)))
    return {draw.name: np.array(noisy, np.int64) for draw, noisy in drawn}


def _origin_faults(contract_digests: Sequence[str], feed: FeedTerms, release: SourceRelease) -> Iterator[Fault]:
    if release.contract_digest not in contract_digests:
        yield Fault(
            "/release/contract_digest",
            "contract_differs",
            f"this contract has the digest {contract_digests[-1]}; download it and draw under it",
        )
    if release.generation != feed.generation:
        yield Fault(
            "/release/generation",
            "generation_differs",
            f"{feed.name} has the generation {feed.generation}; a release of other terms does not count for it",
        )


def _plan_faults(feed: FeedTerms, posted: Sequence[JsonObject]) -> Iterator[Fault]:
    planned = write_draws(feed.get_plan())
    for index, (event, found) in enumerate(zip(planned, posted, strict=False)):
        for name, value in event.items():
            if found[name] != value:
                said = ", ".join(value) if isinstance(value, list) else value
                yield Fault(f"/release/draws/{index}/{name}", "plan_differs", f"the contract's plan says {said} here")
    if len(posted) < len(planned):
        missing = feed.get_plan().draws[len(posted)].name
        yield Fault("/release/draws", "draw_missing", f"the plan has {len(planned)} draws; next comes {missing}")
    if len(posted) > len(planned):
        yield Fault(f"/release/draws/{len(planned)}", "draw_unknown", f"the plan has {len(planned)} draws and no more")


def _vector_faults(feed: FeedTerms, index: int, draw: Draw, noisy: object) -> Iterator[Fault]:
    pointer = f"/release/draws/{index}/noisy"
    entries = prod(len(feed.vocabularies[name]) for name in draw.margin)
    if not isinstance(noisy, list) or len(noisy) != entries:
        yield Fault(pointer, "vector_length", f"{draw.name} is a list of {entries} whole numbers, one an entry")
        return
    for place, value in enumerate(noisy):
        if type(value) is not int:
            yield Fault(f"{pointer}/{place}", "not_an_integer", "noise is discrete: every entry is a whole number")
        elif not -MAX_NOISY <= value <= MAX_NOISY:
            yield Fault(f"{pointer}/{place}", "entry_too_large", f"an entry lies within {MAX_NOISY} of zero")


def _refuse(faults: Iterator[Fault]) -> None:
    found = first_faults(faults)
    if found:
        raise ReleaseInvalid("The release was refused; nothing was stored or debited.", faults=found)
