"""What to do on a suspected breach of this very contract: who, by which command, within how many hours."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.evidence.given import Given
from contracts.evidence.losses import LossAt, loss_at, loss_text
from contracts.rendering.pages import Bullets, Paragraph, Section, Table
from contracts.terms import Terms

_OPERATOR: Final = "the operator, on the machine of the exchange"


@dataclass(frozen=True, slots=True)
class Step:
    """command: empty where it is done by people."""

    what: str
    who: str
    command: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Who tells whom."""

    organisation: str
    tells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Incidents:
    """notice_hours: as the contract's obligations say; None where it says nothing. stolen_database: the most that this
    contract's releases in it let anybody learn of one person in everything. stolen_of_own_population: by everything
    that may ever be released of it, under every contract: its lifetime grants; None where they are not known."""

    notice_hours: int | None
    audit_rights: bool | None
    steps: tuple[Step, ...]
    notices: tuple[Notice, ...]
    stolen_database: LossAt
    stolen_of_own_population: LossAt | None
    undoable: tuple[str, ...]


def incidents(given: Given, terms: Terms) -> Incidents:
    obligations = given.record.document.get("obligations") or {}
    organisations = [party.organisation for party in terms.parties]
    return Incidents(
        notice_hours=obligations.get("incident_notice_hours"),
        audit_rights=obligations.get("audit_rights"),
        steps=_steps(terms),
        notices=tuple(Notice(name, tuple(n for n in organisations if n != name)) for name in organisations),
        stolen_database=loss_at(sum(terms.privacy.ceilings_nano.values()), terms),
        stolen_of_own_population=_granted(given, terms),
        undoable=(
            "A release is out for ever: what it reveals of one person stays bounded by its loss, and is not taken "
            "back.",
            "A loss is never refunded, by no suspension, amendment or restored backup.",
            "Answers and downloads that others have already read.",
        ),
    )


def _granted(given: Given, terms: Terms) -> LossAt | None:
    return None if given.statement is None else loss_at(int(given.statement["granted"]["rho_nano"]), terms)


def _steps(terms: Terms) -> tuple[Step, ...]:
    return (
        Step(
            "Suspend the contract: nothing more is posted or asked, tokens that are out included",
            "any party by itself",
            f"parley contract suspend {terms.id} --reason TEXT",
        ),
        Step("The same", _OPERATOR, f"parley operator suspend {terms.id} --reason TEXT"),
        *_of_populations("Or stop all that draws on {}, under every contract", "suspend", terms),
        Step(
            "Revoke a signing key that somebody else may have; what it signed is then shown to be in doubt",
            "its organisation",
            "parley keys revoke KID --reason TEXT --compromised",
        ),
        Step(
            "Revoke a client whose key was stolen; its tokens that are out stop at once",
            _OPERATOR,
            "parley client revoke ID --reason TEXT",
        ),
        Step("Keep the record of who did what", "every party", f"parley audit export {terms.id} --out FILE"),
        Step("Verify that nothing of it was changed", "every party", "parley audit verify FILE"),
        Step(
            "Reckon up the ledger of one's own population",
            "every party",
            f"parley ledger verify --contract {terms.id}",
        ),
        Step("After a restored backup: compare the ledger with its witness", _OPERATOR, "parley ledger reconcile"),
        Step(
            "Resume, once all parties agree",
            "all parties, each by itself",
            f"parley contract resume {terms.id} --reason TEXT",
        ),
        Step("The same, in place of their agreement", _OPERATOR, f"parley operator resume {terms.id} --reason TEXT"),
        *_of_populations("Lift one's own suspension of {}", "resume", terms),
        Step(
            "Or terminate for good",
            "all parties, each by itself",
            f"parley contract terminate {terms.id} --reason TEXT",
        ),
        Step("The same, in place of their agreement", _OPERATOR, f"parley operator terminate {terms.id} --reason TEXT"),
    )


def _of_populations(what: str, command: str, terms: Terms) -> Iterator[Step]:
    """Its owner and the operator each have a command of their own."""
    for party in terms.parties:
        name = party.population
        own = f"parley contract {command} --population {name} --reason TEXT"
        yield Step(what.format(name), party.organisation, own)
        yield Step(what.format(name), _OPERATOR, f"parley population {command} {name} --reason TEXT")


def incidents_section(found: Incidents) -> Section:
    hours = (
        "The contract states no number of hours within which an incident is to be told: agree on one."
        if found.notice_hours is None
        else f"By its obligations an incident is told within {found.notice_hours:,} hours."
    )
    steps = Table(
        "In this order",
        ("what", "who", "command"),
        tuple((each.what, each.who, each.command) for each in found.steps),
    )
    notices = Table(
        "Who tells whom",
        ("organisation", "tells"),
        tuple((each.organisation, ", ".join(each.tells)) for each in found.notices),
    )
    audit = {True: "The parties may audit each other.", False: "The contract gives no right to audit each other.",
             None: "The contract says nothing of a right to audit."}[found.audit_rights]  # fmt: skip
    return Section(
        "On a suspected breach",
        (steps, Paragraph(f"{hours} The exchange tells nobody by itself: people do. {audit}"), notices),
        (
            Section(
                "What a stolen database or backup gives away",
                (
                    Paragraph(
                        "Releases, which are noisy, and names, terms, public keys and the record of who did what. No "
                        "exact number, and no key that signs for a party. This contract's releases tell of one person "
                        f"in every population of this contract at most {loss_text(found.stolen_database)}."
                    ),
                    Paragraph(
                        "The database holds the releases of every contract, and others may draw on the same "
                        f"populations: of a population, all together, up to its lifetime grants. {_of_own(found)}"
                    ),
                ),
            ),
            Section("What cannot be undone", (Bullets(found.undoable),)),
        ),
    )


def _of_own(found: Incidents) -> str:
    if found.stolen_of_own_population is None:
        return "What was granted to your own is not known to this packet: see your ledger."
    return f"To your own population was granted, over all contracts, {loss_text(found.stolen_of_own_population)}."
