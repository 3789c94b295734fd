"""Use case: the settlement statement, what the parties of an outcomes-based contract settle on.

Made of the answer to `threshold_assessment` alone, under the same terms. Nothing in it depends on who asks or when: its
releases are final ones of every payer, and it is dated by the last of them.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from contracts.asking import Answered, Asking
from contracts.parties import Caller, JsonObject
from contracts.ports import Database
from contracts.receipts import settlement_payload
from contracts.refusals import SettlementNotAgreed
from contracts.statistics.answers import Row
from contracts.statistics.questions import Question
from contracts.statistics.threshold import CONFIDENCE, NO_CLAUSE, OUTCOMES, THRESHOLD_ASSESSMENT
from contracts.terms import Settlement


@dataclass(frozen=True, slots=True)
class Settled:
    """A statement, the question and the answer that it is made of. at: when the last of its releases was stored."""

    question: Question
    answered: Answered
    clause: Settlement
    at: datetime

    def payload(self, issuer: str) -> JsonObject:
        """What is signed."""
        return settlement_payload(issuer, self.at, self.answered.record, self.statement())

    def statement(self) -> JsonObject:
        """outcome: null where the small-cell rule hides the rate, and with it what it comes to."""
        answer, clause = self.answered.answer, self.clause
        sure, rate = (_row(answer.rows, name) for name in (CONFIDENCE, clause.statistic))
        outcome = next((flag for flag in OUTCOMES if flag in sure.flags), None)
        return {
            "statistic": clause.statistic,
            "target": str(clause.target),
            "period": str(clause.period),
            "as_of": answer.as_of,
            "decide_at": str(clause.decide_at),
            "undecided": clause.undecided,
            "outcome": None if outcome is None else outcome.value,
            "confidence": sure.value,
            "rate": rate.value,
            "interval": None if rate.interval is None else asdict(rate.interval),
            "interval_confidence": answer.confidence,
            "state": rate.state.value,
            "labels": [label.value for label in answer.labels],
            "releases": list(answer.releases),
        }


@dataclass(frozen=True, slots=True)
class Settling:
    """States what a contract comes to."""

    asking: Asking
    database: Database

    def state(self, caller: Caller, contract_id: str, purpose: str | None = None) -> Settled:
        """purpose: None for the only one granted, or else the contract's own. Raises as `Asking.ask` does, and
        SettlementNotAgreed."""
        if purpose is None:
            granted = self.asking.purposes(caller, contract_id)
            purpose = granted[0] if len(granted) == 1 else None
        question = Question(THRESHOLD_ASSESSMENT.name, purpose=purpose)
        answered = self.asking.ask(caller, contract_id, question)
        if answered.terms.settlement is None:
            raise SettlementNotAgreed(NO_CLAUSE)
        used = frozenset(answered.answer.releases)
        with self.database.reading() as stores:
            releases = stores.releases.list_for_contract(contract_id)
        at = max(release.released_at for release in releases if release.id in used)
        return Settled(question, answered, answered.terms.settlement, at)


def _row(rows: tuple[Row, ...], figure: str) -> Row:
    return next(row for row in rows if row.figure == figure)
