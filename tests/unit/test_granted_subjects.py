"""What shows the figures of another statistic needs the grant of that one, be it named or taken for granted."""

import pytest

from contracts.granting import permit
from contracts.parties import JsonObject
from contracts.records import ContractRecord, Stage
from contracts.refusals import NotGranted
from contracts.statistics.questions import Question
from tests.unit.programme_worlds import HOSPITALISED, a_feed, support, terms_of
from tests.unit.terms import NOW

DAYS: JsonObject = {name: {"unit": "days", "bound": 92} for name in ("days_covered", "treatment_days")}


def permitted(statistic: str, granted: list[str], of: str | None = None) -> str | None:
    """What the question that is answered is of."""
    grants = [{"role": "brand", "statistics": [statistic, *granted], "by_at_most": 3}]
    terms = terms_of(a_feed(measures=HOSPITALISED | DAYS), support(), grants=grants)
    party = terms.find_party("helix")
    assert party is not None
    record = ContractRecord("dsc-example", 1, Stage.PROPOSED, {}, None, "helix", NOW)
    return permit(record, terms, party, Question(statistic, of=of)).question.of


@pytest.mark.parametrize(
    ("statistic", "default", "other"),
    [("joint_table", "pdc_pooled", "adherence_rate"), ("programme_effect", "adherence_rate", "utilisation_rate")],
)
def test_what_a_statistic_is_of_by_default_is_granted_like_what_is_named(
    statistic: str, default: str, other: str
) -> None:
    assert permitted(statistic, [default]) == default
    assert permitted(statistic, [other], of=other) == other
    for granted, of in (([], None), ([other], None), ([default], other)):
        with pytest.raises(NotGranted) as refused:
            permitted(statistic, granted, of)
        assert (other if of else default) in refused.value.detail
        assert refused.value.extra["term"] == "/grants/0/statistics"
