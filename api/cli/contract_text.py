"""A contract in words: for `contract show`, and before a signature."""

from dataclasses import asdict
from typing import Any

from api.cli.output import loss_text, say, say_paragraph, say_table, unanswered_text
from contracts.ledger.statements import Loss, ceilings
from contracts.parties import JsonObject
from contracts.statistics.answerable import unanswered
from contracts.terms import FeedTerms, Measured, Terms, read_terms
from contracts.verifying_contract import doubt_text
from privacy.units import rho_text


def say_contract(contract: JsonObject) -> None:
    """Where it stands, who shares what, at which ceilings, and who has signed."""
    terms = read_terms(contract["document"])
    waiting = ", ".join(contract["waiting_for"])
    say(f"{terms.title}")
    say(f"{contract['id']}, version {contract['version']}: {contract['status']}")
    say(f"Digest:  {contract['digest'] or 'none before it is proposed'}")
    say(f"Term:    {terms.effective} to {terms.expires}, for {terms.purpose}")
    say(f"Drafted: by {contract['drafted_by']}" + (f"; waiting for the signature of {waiting}" if waiting else ""))
    say()
    _say_parties(terms, {signature["organisation"]: signature for signature in contract["signatures"]})
    for signature in contract["signatures"]:
        if signature["key_compromised"]:
            say_paragraph(f"Warning: {doubt_text(signature['organisation'], signature['kid'])}.")
    _say_life(contract)
    say()
    _say_feeds(terms)
    _say_unanswered(terms)
    say()
    _say_ceilings(terms)


def _say_life(contract: JsonObject) -> None:
    """Its other versions, what was done to it, and whose agreement is missing."""
    if len(contract["versions"]) > 1:
        versions = ", ".join(f"{each['version']} {each['status']}" for each in contract["versions"])
        say(f"Versions: {versions}")
    for event in contract["events"]:
        who, what = event["organisation"] or "the operator", event["kind"].replace("_", " ")
        say(f"{event['recorded_at'][:19]} {what} by {who}: {event['reason']}")
    for population in contract["suspended_populations"]:
        say(f"The population {population} is suspended everywhere.")
    for what in ("resume", "termination"):
        agreed = contract[f"{what}_agreed"]
        if agreed and contract["status"] != "terminated":
            parties = [party["organisation"] for party in contract["document"]["parties"]]
            missing = ", ".join(name for name in parties if name not in agreed)
            say(f"To {what.replace('termination', 'terminate')} it, still to agree: {missing}")


def say_what_is_signed(contract: JsonObject, signer_name: str, signer_title: str) -> None:
    """What a person must know before signing: which document, who with, what it may cost a person."""
    terms = read_terms(contract["document"])
    say(f"{terms.title} ({contract['id']}, version {contract['version']})")
    say(f"Digest: {contract['digest']} (SHA-256 of the document, computed here)")
    say(f"Term:   {terms.effective} to {terms.expires}, for {terms.purpose}")
    say(f"With:   {', '.join(f'{party.organisation} ({party.role})' for party in terms.parties)}")
    _say_ceilings(terms)
    _say_unanswered(terms)
    version = f"{contract['id']} --version {contract['version']}"
    say(f"All of it, in words: parley contract show {version} --format html > contract.html")
    say(f"Signer: {signer_name}, {signer_title}")


def _say_parties(terms: Terms, signatures: dict[str, JsonObject]) -> None:
    rows = []
    for party in terms.parties:
        signature = signatures.get(party.organisation)
        signed = f"{signature['signer_name']}, {signature['signer_title']}" if signature else "not yet"
        rows.append((party.organisation, party.role, party.population, signed))
    say_table(("party", "role", "population", "signed by"), rows)


def _say_feeds(terms: Terms) -> None:
    rows = [
        (
            feed.name,
            feed.provider,
            f"{len(feed.periods)} {feed.grain}s, {feed.periods.first} to {feed.periods.last}",
            ", ".join(feed.dimensions),
            ", ".join(feed.measures),
            rho_text(feed.rho_nano),
        )
        for feed in terms.feeds
    ]
    say_table(("feed", "provider", "periods", "dimensions", "measures", "rho"), rows, right=("rho",))
    for feed in terms.feeds:
        if said := _unusual_terms(feed):
            say(f"{feed.name}: {'; '.join(said)}")


def _unusual_terms(feed: FeedTerms) -> list[str]:
    """What a feed does otherwise than most."""
    said = []
    if feed.restatements:
        times = "once" if feed.restatements == 1 else f"{feed.restatements} times"
        said.append(f"every period is measured again {times} within {feed.run_out_days} days")
    if feed.measured is Measured.SOURCE:
        said.append("the provider draws the noise on its premises, and vouches for it")
    if feed.life_table:
        said.append(f"{feed.life_table} of a life table, each person once")
    return said


def _say_unanswered(terms: Terms) -> None:
    if names := unanswered(terms):
        say(unanswered_text(names))


def _say_ceilings(terms: Terms) -> None:
    limits = ceilings(terms)
    say("The most that one person may lose under this contract, by population:")
    for population, limit in limits.of_populations.items():
        say(f"  {population}: {loss_text(_loss(limit))}")
    if limits.providers_at_most > 1:
        say(f"  one person in at most {limits.providers_at_most} of them: {loss_text(_loss(limits.of_unit))}")
    say(f"  one person in everything: {loss_text(_loss(limits.everything))}")
    say(f"Unit: {limits.unit}.")
    say(limits.adds_up)


def _loss(limit: Loss) -> dict[str, Any]:
    return asdict(limit) | {"rho": rho_text(limit.rho_nano)}
