"""The page of one contract: all that its document says, where it stands, and who has signed."""

from collections.abc import Iterator
from typing import Final

from contracts.canonical import digest_of
from contracts.parties import JsonObject
from contracts.rendering.feeds import feed_section
from contracts.rendering.losses import privacy_section
from contracts.rendering.pages import Block, Bullets, Facts, Page, Paragraph, Section, Table
from contracts.rendering.parts import Part, Term, facts, part_of, table, term, value_text
from contracts.rendering.rollout import rollout_section
from contracts.rendering.standards import standards_section
from contracts.rendering.standing import Standing
from contracts.statistics.answerable import unanswered
from contracts.terms import Terms, read_terms

STATUSES: Final = {
    "draft": "a draft, which only its drafter sees and can change",
    "proposed": "proposed: the document is frozen, and not every party has signed it",
    "signed": "signed by every party; its first day has not come",
    "in_force": "in force",
    "suspended": "suspended: nothing is posted or asked until it is resumed",
    "expired": "expired",
    "terminated": "terminated",
    "superseded": "superseded by a later version",
}


def contract_page(document: JsonObject, standing: Standing | None) -> Page:
    """The document in words. standing: None for one that no exchange has.

    Raises ValueError, KeyError or TypeError for a document that makes no sense.
    """
    terms, part = read_terms(document), part_of(document)
    title = str(part.take("title"))
    sections = (
        _identity(part, standing),
        _parties(part, terms),
        _purpose(part),
        _term(part),
        _vocabularies(part),
        _feeds(part, terms),
        privacy_section(part.part("privacy"), terms),
        _grants(part, terms),
        _rules(part),
        standards_section(part),
        rollout_section(part),
        _settlement(part),
        _obligations(part),
        *_rest(part),
        _signatures(terms, standing),
    )
    return Page(title, f"Data-sharing contract {terms.id}, version {terms.version}", sections)


def _identity(part: Part, standing: Standing | None) -> Section:
    frozen = standing is not None and standing.proposed_at is not None
    digest = digest_of(part.value) if frozen else "none before it is proposed"
    stated = Facts(
        (
            ("contract", value_text(part.take("id"))),
            ("version", value_text(part.take("version"))),
            ("digest of the version before", part.take("previous_digest") or "none: there is no version before"),
            ("digest (SHA-256 of the document in the form of RFC 8785)", digest),
            *_standing(standing),
        )
    )
    return Section("Where it stands", (stated,))


def _standing(standing: Standing | None) -> list[tuple[str, str]]:
    if standing is None:
        return [("status", "a document that no exchange has confirmed")]
    said = [
        ("status", STATUSES.get(standing.status, standing.status)),
        ("drafted", f"by {standing.drafted_by}, {standing.drafted_at}"),
        ("proposed", standing.proposed_at or "not yet"),
        ("signatures that are missing", ", ".join(standing.waiting_for) or "none"),
        ("versions", ", ".join(standing.versions)),
        ("suspended populations", ", ".join(standing.suspended_populations)),
        *((f"event {i}", event) for i, event in enumerate(standing.events, 1)),
    ]
    return [(name, text) for name, text in said if text]


def _parties(part: Part, terms: Terms) -> Section:
    def posts(party: Part) -> str:
        names = [feed.name for feed in terms.feeds if party.value["organisation"] in terms.providers_of(feed)]
        return ", ".join(names) or "nothing"

    parties = table(
        "Who shares",
        part.each("parties"),
        term("organisation", "organisation"),
        term("role", "role"),
        term("population, all whose records it may post", "population"),
        Term("posts the feeds", posts),
    )
    return Section("Parties", (parties,))


def _purpose(part: Part) -> Section:
    further = ", ".join(part.take("purposes") or [])
    purpose = Paragraph(
        f"The answers may be used for: {part.take('purpose')}"
        + (f", and where a question says so for: {further}." if further else ", and nothing else.")
    )
    prohibited = part.take("prohibited") or []
    blocks: tuple[Block, ...] = (Paragraph("No use is expressly prohibited."),)
    if prohibited:
        blocks = (Paragraph("They may not be used for:"), Bullets(tuple(map(str, prohibited))))
    return Section("Purpose and prohibited uses", (purpose, *blocks))


def _term(part: Part) -> Section:
    days = Facts(
        (
            (
                "first day",
                f"{part.take('effective')}, or the day on which all parties have signed, if it is later",
            ),
            ("last day", value_text(part.take("expires"))),
        )
    )
    return Section("Term", (days, Paragraph("Days are those of UTC.")))


def _vocabularies(part: Part) -> Section:
    values = table(
        "What cells can go by: closed lists, known before any data",
        part.each("vocabularies"),
        Term("dimension", lambda dimension: dimension.name),
        Term("values", Part.whole),
    )
    rollups = part.part("rollups")
    periods = [f"a {coarse} of {fine}s" for coarse, fine in (rollups.take("period") or {}).items()]
    time = Paragraph(f"Coarser stretches of time that an answer may go by: {', '.join(periods) or 'none'}.")
    return Section("Dimensions", (values, time, *_coarser_dimensions(rollups), *_others(rollups)))


def _coarser_dimensions(rollups: Part) -> tuple[Table, ...]:
    dimensions = rollups.each("dimensions")
    said = table(
        "Coarser dimensions that an answer may go by",
        dimensions,
        Term("dimension", lambda dimension: dimension.name),
        term("made of", "of"),
        term("values, and what each holds", "groups", _groups_text),
    )
    return (said,) if dimensions else ()


def _groups_text(groups: JsonObject) -> str:
    return "; ".join(f"{value}: {value_text(held)}" for value, held in groups.items())


def _feeds(part: Part, terms: Terms) -> Section:
    lead = Paragraph("A feed is a table that its provider posts period by period, each period once and whole.")
    sections = [
        feed_section(feed, feed_terms, terms) for feed, feed_terms in zip(part.each("feeds"), terms.feeds, strict=True)
    ]
    return Section("Feeds", (lead,), tuple(sections))


def _grants(part: Part, terms: Terms) -> Section:
    granted = table(
        "Grants",
        part.each("grants"),
        term("role", "role"),
        term("organisation", "organisation", lambda name: name or "each without a grant of its own"),
        term("statistics", "statistics"),
        term("by at most so many dimensions at once", "by_at_most", right=True),
        term("which dimensions", "dimensions", _narrowed),
        term("of which feeds", "feeds", _narrowed),
        Term("of which periods", _granted_periods),
        term("for which purposes", "purposes", lambda names: value_text(names) if names else "all of this contract"),
    )
    later = unanswered(terms)
    said = (Paragraph(f"Granted, though the feeds above cannot answer it: {', '.join(later)}."),) if later else ()
    return Section("Who may ask what", (granted, *said))


def _narrowed(names: list[str] | None) -> str:
    return "any" if names is None else value_text(names)


def _granted_periods(grant: Part) -> str:
    periods = grant.part("periods")
    if not periods.value:
        grant.take("periods")
        return "any"
    return f"{periods.take('first')} to {periods.take('last')}"


def _rules(part: Part) -> Section:
    rules = part.part("rules")
    stated = facts(
        rules,
        term(
            "a pooled period opens",
            "min_payers",
            lambda least: f"when {value_text(least)} payers have posted it, not counting the one who asks",
        ),
        Term("small cells", lambda _: _small_cells(rules)),
        term(
            "answers by payer",
            "payer_dimension",
            _by_payer,
        ),
        Term("reciprocity", lambda _: _reciprocity(rules)),
        Term("codes that are off limits", lambda _: _off_limits(rules)),
    )
    return Section("Rules", (stated,))


def _small_cells(rules: Part) -> str:
    if not rules.part("small_cells").value:
        rules.take("small_cells")
        return "all noisy counts are shown"
    least = rules.part("small_cells").take("mask_below")
    return f"noisy counts from 1 to {least - 1:,} are not shown (mask below {least:,}); protection comes from the noise"


def _by_payer(shown: bool) -> str:
    return "yes" if shown else "no: nobody sees the numbers of one payer"


def _reciprocity(rules: Part) -> str:
    if not rules.part("reciprocity").value:
        rules.take("reciprocity")
        return "none: a pool answers those too who have not posted"
    days = value_text(rules.part("reciprocity").take("within_days"))
    return f"who has not posted its own periods {days} days after their posting day is answered about no pool"


def _off_limits(rules: Part) -> str:
    digest = rules.part("off_limits").take("code_list_sha256")
    return f"those of the list with SHA-256 {digest}, dropped by the provider" if digest else "none"


def _settlement(part: Part) -> Section:
    settlement = part.part("settlement")
    if not settlement.value:
        part.take("settlement")
        return Section("Settlement", (Paragraph("None is stated."),))
    stated = facts(
        settlement,
        term("settles on", "statistic"),
        *([term("of the feed", "feed")] if "feed" in settlement.value else []),
        term("target", "target"),
        term("over", "period"),
        term("by which releases", "as_of"),
        term("decided with confidence", "decide_at"),
        term("if undecided", "undecided"),
        term("accepts releases whose noise the provider drew itself", "accept_measured_at_source"),
    )
    return Section("Settlement", (stated,))


def _obligations(part: Part) -> Section:
    obligations = part.part("obligations")
    if not obligations.value:
        part.take("obligations")
        return Section("Obligations", (Paragraph("None are stated."),))
    stated = facts(
        obligations,
        term("an incident is told within", "incident_notice_hours", lambda hours: f"{value_text(hours)} hours"),
        term("the parties may audit each other", "audit_rights"),
    )
    return Section("Obligations", (stated,))


def _rest(part: Part) -> Iterator[Section]:
    """What no section above has said."""
    if left := part.rest():
        yield Section("Further terms", (Facts(tuple(left)),))


def _others(part: Part) -> tuple[Facts, ...]:
    left = part.rest()
    return (Facts(tuple(left)),) if left else ()


def _signatures(terms: Terms, standing: Standing | None) -> Section:
    signed = {signature.organisation: signature for signature in standing.signatures} if standing else {}
    rows = []
    asked = standing.waiting_for if standing else ()
    for organisation in dict.fromkeys((*(party.organisation for party in terms.parties), *signed, *asked)):
        signature = signed.get(organisation)
        said = ("not yet", "", "", "") if signature is None else (
            signature.signer_name, signature.signer_title, signature.signed_at, signature.key
        )  # fmt: skip
        rows.append((organisation, *said))
    headings = ("organisation", "signed by", "title", "on", "with the key")
    return Section("Signatures", (Table("Who has signed this version", headings, tuple(rows)),))
