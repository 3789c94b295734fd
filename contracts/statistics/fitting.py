"""The statistic that answers one question: made for what it is about, and for what its figures are compared with."""

from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.comparing import against_previous
from contracts.statistics.declarations import Asked, Statistic
from contracts.statistics.questions import Compare
from contracts.statistics.standardised import against_standard


def fit_to(declared: Statistic, asked: Asked) -> Statistic:
    """Raises QuestionInvalid for an `of`, a `compare` or a `standard` that it does not have, with those it has."""
    faults = [*_subject_faults(declared, asked), *_compare_faults(declared, asked), *_standard_faults(declared, asked)]
    if faults:
        raise QuestionInvalid("The question does not fit this statistic.", faults=tuple(faults))
    statistic = declared if declared.derive is None else declared.derive(asked)
    match asked.question.compare:
        case Compare.PREVIOUS:
            return against_previous(statistic)
        case Compare.STANDARDISED:
            return against_standard(declared, statistic, asked)
        case None:
            return statistic


def _subject_faults(declared: Statistic, asked: Asked) -> list[Fault]:
    of = asked.question.of
    if of is None or of in declared.subjects:
        return []
    if not declared.subjects:
        return [Fault("/of", "subject_fixed", f"{declared.name} is about one thing only; leave this out")]
    return [Fault("/of", "subject_unknown", f"{declared.name} can be of {', '.join(declared.subjects)}")]


def _compare_faults(declared: Statistic, asked: Asked) -> list[Fault]:
    compare = asked.question.compare
    if compare is None or compare in declared.compares:
        return []
    known = ", ".join(declared.compares) or "nothing"
    return [Fault("/compare", "compare_unknown", f"{declared.name} can be compared with {known}")]


def _standard_faults(declared: Statistic, asked: Asked) -> list[Fault]:
    question = asked.question
    if question.standard is None or declared.uses_standard or question.compare is Compare.STANDARDISED:
        return []
    message = f"{declared.name} is not standardised; leave this out"
    if Compare.STANDARDISED in declared.compares:
        message += ", or add compare=standardised"
    return [Fault("/standard", "standard_unused", message)]
