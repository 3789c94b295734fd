"""What to do on a suspected breach of this very contract: who, by which command, within how many hours."""

from dataclasses import dataclass

from contracts.evidence.given import Given
from contracts.evidence.losses import LossAt, loss_at, loss_text
from contracts.rendering.pages import Bullets, Paragraph, Section, Table
from contracts.terms import Terms


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
    """notice_hours: as the contract's obligations say; None where it says nothing. stolen_database: the most that it
    lets anybody learn of one person in everything."""

    notice_hours: int | None
    audit_rights: bool | None
    steps: tuple[Step, ...]
    notices: tuple[Notice, ...]
    stolen_database: LossAt
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
        undoable=(
            "A release is out for ever: what it reveals of one person stays bounded by its loss, and is not taken "
            "back.",
            "A loss is never refunded, by no suspension, amendment or restored backup.",
            "Answers and downloads that others have already read.",
        ),
    )


def _steps(terms: Terms) -> tuple[Step, ...]:
    suspensions = tuple(
        Step(
            f"Or stop all that draws on {party.population}, under every contract",
            f"{party.organisation}, or the operator",
            f"parley population suspend {party.population} --reason TEXT",
        )
        for party in terms.parties
    )
    return (
        Step(
            "Suspend the contract: nothing more is posted or asked, tokens that are out included",
            "any party by itself, or the operator",
            f"parley contract suspend {terms.id} --reason TEXT",
        ),
        *suspensions,
        Step(
            "Revoke a signing key that somebody else may have; what it signed is then shown to be in doubt",
            "its organisation",
            "parley keys revoke KID --reason TEXT --compromised",
        ),
        Step(
            "Remove a client whose key was stolen, in the database; its tokens end by themselves within 300 seconds",
            "the operator; there is no command for it yet",
            "",
        ),
        Step("Keep the record of who did what", "every party", f"parley audit export {terms.id} --out FILE"),
        Step("Verify that nothing of it was changed", "every party", "parley audit verify FILE"),
        Step(
            "Reckon up the ledger of one's own population",
            "every party",
            f"parley ledger verify --contract {terms.id}",
        ),
        Step("After a restored backup: compare the ledger with its witness", "the operator", "parley ledger reconcile"),
        Step(
            "Resume, once all parties agree",
            "all parties, or the operator with a recorded reason",
            f"parley contract resume {terms.id} --reason TEXT",
        ),
        Step(
            "Or terminate for good",
            "all parties, or the operator with a recorded reason",
            f"parley contract terminate {terms.id} --reason TEXT",
        ),
    )


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
                        "exact number, and no key that signs for a party. Of one person in every population of this "
                        f"contract, at most {loss_text(found.stolen_database)}, and no more than what the answers "
                        "reveal anyway."
                    ),
                ),
            ),
            Section("What cannot be undone", (Bullets(found.undoable),)),
        ),
    )
