"""What is said of a feed: who posts it and when, the most that one person adds, what it may cost, how it is noised."""

from collections.abc import Iterator
from typing import Final

from contracts.ledger.statements import loss
from contracts.linking import find_linked_loss
from contracts.rendering.losses import epsilon_text
from contracts.rendering.pages import Block, Bullets, Facts, Paragraph, Section
from contracts.rendering.parts import Part, Term, facts, table, term, value_text
from contracts.terms import FeedTerms, Terms
from privacy.units import rho_text

_NOISE: Final = {
    "exchange": "exchange: the exchange draws the noise, and forgets the exact numbers",
    "source": "source: the provider draws the noise on its premises and vouches for it; answers say so",
}
_LIFE_TABLES: Final = {
    None: "no",
    "starts": "starts: who began, each person once, in the month of the first episode",
    "exits": "exits: who stopped, each person once, in the month in which it became known",
}
_LINKS: Final = {
    "none": "none: a payer's cells are not joined to the brand's records",
    "linked": "linked: each payer computes its cells with a brand's flag of each person, on its own premises",
}


def feed_section(part: Part, feed: FeedTerms, terms: Terms) -> Section:
    measures = part.each("measures")
    measure_table = table(
        "What is counted in each cell, and the most that one person adds",
        measures,
        Term("measure", lambda measure: measure.name),
        term("unit", "unit"),
        term("one person adds at most, to one cell of a period", "bound", right=True),
        Term("over the whole term at most", lambda measure: f"{_bound(measure) * feed.k:,}", right=True),
        Term(
            "expected sum of one period",
            lambda measure: (
                value_text(part.part("expected").take(measure.name)) if measure.name in feed.expected else ""
            ),
            right=True,
        ),
    )
    plan = list(_plan(part.part("plan"), feed))
    care = list(_tables(part))
    invariants = list(_invariants(part))
    return Section(
        f"Feed {feed.name}",
        (_facts(part, feed, terms), measure_table, *invariants, *care, *plan),
    )


def _bound(measure: Part) -> int:
    return int(measure.value["bound"])


def _facts(part: Part, feed: FeedTerms, terms: Terms) -> Facts:
    """All of a feed that is no table; what nobody has words for comes last."""
    delta = terms.privacy.delta
    providers = ", ".join(terms.providers_of(feed)) or "nobody in this contract"
    over_term, release = (loss(rho, delta) for rho in (feed.rho_nano, feed.charge_nano))
    for name in ("name", "invariants", "tables"):
        part.take(name)
    return facts(
        part,
        term("provider", "provider", lambda role: f"{role}: {providers}"),
        term("a period is a", "grain"),
        term("first period", "first_period"),
        term("last period", "last_period", lambda last: f"{last}; {len(feed.periods)} periods in all"),
        term(
            "k: one person is in at most", "k", lambda k: f"{k:,} periods, in one cell of each; the provider sees to it"
        ),
        term("run-out", "run_out_days", _run_out),
        term("restatements", "restatements", lambda r: _restatements(r, feed)),
        term("dimensions", "dimensions"),
        term("linked records", "link", lambda link: _LINKS.get(link, value_text(link))),
        *_linked(part, feed, terms),
        term("noise is drawn by", "measured", lambda where: _NOISE.get(where, value_text(where))),
        term("life table", "life_table", lambda kind: _LIFE_TABLES.get(kind, value_text(kind))),
        *_known_after(part),
        *_preparation(part),
        term(
            "ceiling: all its releases may cost one person",
            "rho",
            lambda rho: f"rho {rho} ({epsilon_text(over_term)})",
        ),
        Term("one release may cost", lambda _: f"rho {rho_text(release.rho_nano)} ({epsilon_text(release)})"),
    )


def _linked(part: Part, feed: FeedTerms, terms: Terms) -> Iterator[Term]:
    """Which flag it is, and what it costs the brand; nothing of a document without this term."""
    linked = part.part("linked")
    if feed.linked is None:
        part.take("linked")
        return
    dimension, organisation = linked.take("dimension"), linked.take("organisation")
    yield Term("the flag of", lambda _: f"{organisation}, in the dimension {dimension}")
    if feed.plan is None:
        return
    found = find_linked_loss(terms, feed)
    if found is not None:
        release, over_term = (
            loss(nano, terms.privacy.delta) for nano in (found.one_release_nano, found.over_term_nano)
        )
        yield Term(
            f"a release may cost one person of {found.population} besides",
            lambda _: f"rho {rho_text(release.rho_nano)} ({epsilon_text(release)})",
        )
        yield Term(
            f"all releases of all payers may cost one person of {found.population}",
            lambda _: f"rho {rho_text(over_term.rho_nano)} ({epsilon_text(over_term)})",
        )


def _run_out(days: int) -> str:
    return f"{days:,} days after a period, until which late records arrive and its releases are provisional"


def _restatements(count: int, feed: FeedTerms) -> str:
    if not count:
        return "0: each period is measured once"
    return f"each period is measured anew {count:,} times over its {feed.run_out_days:,} days of run-out"


def _known_after(part: Part) -> Iterator[Term]:
    """Nothing of a document of before there was this term."""
    if "known_after_months" in part.value:
        yield term("exits are posted", "known_after_months", _lag)


def _lag(months: int | None) -> str:
    if months is None:
        return "in the period in which they become known"
    return (
        f"always {months} months later: in the month of the start + months_since_start + {months}, so that cohorts tell"
    )


def _preparation(part: Part) -> Iterator[Term]:
    """Nothing of a document of before there was this term."""
    if "preparation_sha256" in part.value:
        yield term("cells are made of claims by", "preparation_sha256", _definitions)


def _definitions(sha256: str | None) -> str:
    return f"the definitions with SHA-256 {sha256}" if sha256 else "the provider's own definitions"


def _invariants(part: Part) -> Iterator[Block]:
    if part.value.get("invariants"):
        yield Paragraph("In every cell it holds that, and a submission that breaks it is refused:")
        yield Bullets(tuple(map(str, part.take("invariants"))))


def _tables(part: Part) -> Iterator[Block]:
    if tables := part.each("tables"):
        yield table(
            "The tables that the parties care about, for which it is made as accurate as its ceiling allows",
            tables,
            term("by", "by", _margin),
            term("weight", "weight", right=True),
        )


def _plan(part: Part, feed: FeedTerms) -> Iterator[Block]:
    if feed.plan is None:
        yield Paragraph("Its measurement plan is made when the contract is proposed, and signed with it.")
        return
    whole = feed.plan.charge_nano
    yield table(
        "The measurement plan: what is drawn, once, for each period",
        part.each("draws"),
        term("measure", "measure"),
        term("table by", "margin", _margin),
        term("sigma, the standard deviation of the noise in one entry", "sigma", right=True),
        term("squared sensitivity", "l2_squared", right=True),
        Term("share of the loss", lambda draw: f"{draw.value['charge_nano'] / whole:.1%}", right=True),
        term("charge in billionths of rho", "charge_nano", right=True),
    )
    explanation = part.take("explanation") or []
    yield facts(
        part,
        term("mechanism", "mechanism"),
        term("charge of one release", "charge_nano", lambda nano: f"{nano:,} billionths of rho: rho {rho_text(nano)}"),
    )
    if explanation:
        yield Paragraph("The plan in sentences:")
        yield Bullets(tuple(map(str, explanation)))


def _margin(names: list[str]) -> str:
    return " x ".join(names) or "the total (no dimension)"
