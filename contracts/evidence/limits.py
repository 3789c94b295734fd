"""What the guarantee rests on and does not say, and where it comes from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.rendering.pages import Bullets, Section
from contracts.terms import Measured, PrivacyUnit, Terms

NOT_SAID: Final = (
    "Anything about groups: what is true of a region or a sex will show, and may be concluded of anybody who belongs "
    "to it, whether or not in the data.",
    "That organisations take part, which periods they post and when: that is not hidden.",
    "Protection by the small-cell rule: it is a rule of display, and masked cells may be derivable from other answers.",
    "Protection of payers by min_payers: a commercial rule that counts who posts, not who contributes.",
    "Anything about data that parties exchange outside Parley.",
    "That records were legitimately obtained, are right or complete.",
)
SOURCES: Final = (
    "Bun and Steinke, Concentrated Differential Privacy: Simplifications, Extensions, and Lower Bounds (2016)",
    "Canonne, Kamath and Steinke, The Discrete Gaussian for Differential Privacy (2020)",
    "Dwork and Roth, The Algorithmic Foundations of Differential Privacy (2014)",
    "Dong, Roth and Su, Gaussian Differential Privacy (2022)",
    "Feldman and Zrnic, Individual Privacy Accounting via a Renyi Filter (2021)",
    "Whitehouse, Ramdas, Rogers and Wu, Fully-Adaptive Composition in Differential Privacy (2023)",
    "RFC 8785 (the form that is signed) and RFC 7515 (the signatures)",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """assumptions: what must hold outside the exchange for the guarantee to be true."""

    assumptions: tuple[str, ...]
    not_said: tuple[str, ...]
    sources: tuple[str, ...]


def limits(terms: Terms) -> Limits:
    return Limits(tuple(_assumptions(terms)), NOT_SAID, SOURCES)


def _assumptions(terms: Terms) -> Iterator[str]:
    yield "Providers keep the bounds and duties that they sign. One that lies harms its own members."
    yield "Nobody is in two populations of one provider; where one has several, the operator has recorded who says so."
    if terms.privacy.unit is PrivacyUnit.ACROSS_PROVIDERS:
        yield (
            f"One person is in the data of at most {terms.privacy.max_providers} providers: the parties' word, since "
            "the exchange cannot see it."
        )
    exchange = [feed.name for feed in terms.feeds if feed.measured is Measured.EXCHANGE]
    source = [feed.name for feed in terms.feeds if feed.measured is Measured.SOURCE]
    if exchange:
        yield (
            "The operator does not read the memory of the exchange while it measures, which is where the exact numbers "
            f"are for one request. Feeds: {', '.join(exchange)}."
        )
    if source:
        yield (
            "The provider draws noise once, by the signed plan, and posts what it drew: nobody can check that. "
            f"Feeds: {', '.join(source)}, and every answer from them says so."
        )
    linked = [feed.name for feed in terms.feeds if feed.linked is not None]
    if linked:
        yield (
            "Payers join a brand's flag to each person one by one, as the duties of the feed say: nobody else can "
            f"check it. Feeds: {', '.join(linked)}."
        )
    yield "The operating system's random numbers are unpredictable, and the library draws from them as it says."
    yield "Signatures, hashes and TLS are not broken, and each party keeps its private keys."


def limits_section(found: Limits) -> Section:
    return Section(
        "What remains outside",
        (),
        (
            Section("What the guarantee rests on", (Bullets(found.assumptions),)),
            Section("What it does not say", (Bullets(found.not_said),)),
            Section("Where it comes from", (Bullets(found.sources),)),
        ),
    )
