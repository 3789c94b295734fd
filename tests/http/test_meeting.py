"""Feeds of different detail and grain meet by what each has or rolls up to, and no way of cutting them changes a sum.

Fills by state and month, treated members by division and quarter, enrolment by region and month, support by region and
quarter: nothing but roll-ups lets them meet.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from typing import Any
from uuid import uuid4

import pytest

from contracts.parties import JsonObject
from privacy.mechanism import NoiseSource
from tests.http.answers import Posted, Rows, answer, approximately, table, totals, values
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    PAYERS,
    NoNoise,
    SmallExchange,
    fills_feed,
    small_contract,
    support_feed,
)

DIVISIONS = {"CT": "new_england", "MA": "new_england", "NY": "mid_atlantic", "FL": "gulf", "TX": "gulf"}
REGIONS = {"new_england": "northeast", "mid_atlantic": "northeast", "gulf": "south"}
MONTHS = ("2025-01", "2025-02", "2025-03")
QUARTER = "2025-Q1"
PERSONS = {"unit": "persons", "bound": 1}
DAYS = {"unit": "days", "bound": 92}


def fills_rows(payer: int, month: int) -> Rows:
    return [
        {
            "state": state,
            "sex": sex,
            "members": 60 + 17 * s + 5 * month + 9 * payer + 3 * (sex == "M"),
            "days_covered": 500 + 40 * s + 31 * payer + month,
            "treatment_days": 900 + 45 * s + 20 * payer,
        }
        for s, state in enumerate(DIVISIONS)
        for sex in ("F", "M")
    ]


def treated_rows(payer: int) -> Rows:
    return [
        {"division": division, "members": 700 + 50 * d + 11 * payer, "treatment_days": 30_000}
        for d, division in enumerate(REGIONS)
    ]


def enrolment_rows(month: int) -> Rows:
    return [
        {"region": region, "coverage": coverage, "enrolled": 90 + 20 * r + 7 * month + 5 * c}
        for r, region in enumerate(("northeast", "south"))
        for c, coverage in enumerate(("in_network", "other"))
    ]


def support_rows() -> Rows:
    return [
        {"region": region, "members": 40 + r, "contacts": 70 + 9 * r} for r, region in enumerate(("northeast", "south"))
    ]


def with_coarser(posted: Posted) -> Posted:
    """Each row with the division and region that its state, or its division, lies in."""
    coarser = {}
    for key, rows in posted.items():
        wide = [row | ({"division": DIVISIONS[row["state"]]} if "state" in row else {}) for row in rows]
        coarser[key] = [row | ({"region": REGIONS[row["division"]]} if "division" in row else {}) for row in wide]
    return coarser


FILLS = with_coarser({(name, m): fills_rows(p, i) for p, name in enumerate(PAYERS) for i, m in enumerate(MONTHS)})
TREATED = with_coarser({(name, QUARTER): treated_rows(p) for p, name in enumerate(PAYERS)})
ENROLMENT: Posted = {(BRAND, month): enrolment_rows(i) for i, month in enumerate(MONTHS)}
SUPPORT: Posted = {(BRAND, QUARTER): support_rows()}


def contract() -> JsonObject:
    quarterly = {"grain": "quarter", "first_period": QUARTER, "last_period": "2025-Q2", "k": 2}
    monthly = {"first_period": MONTHS[0], "last_period": "2025-06", "k": 6}
    counted = {"members": PERSONS, "treatment_days": DAYS}
    contacts = {"members": PERSONS, "contacts": {"unit": "contacts", "bound": 5}}
    lacking: JsonObject = {"invariants": [], "measures": {"enrolled": PERSONS}}
    statistics = ["counts", "pdc_pooled", "joint_table", "psp_penetration"]
    return small_contract(
        grants=[{"role": "brand", "statistics": statistics, "by_at_most": 4}],
        vocabularies={
            "state": list(DIVISIONS),
            "division": list(REGIONS),
            "region": ["northeast", "south"],
            "sex": ["F", "M"],
            "coverage": ["in_network", "other"],
        },
        rollups={
            "period": {"quarter": "month", "year": "quarter"},
            "dimensions": {"division": rollup("state", DIVISIONS), "region": rollup("division", REGIONS)},
        },
        feeds=[
            fills_feed(dimensions=["state", "sex"], **monthly),
            fills_feed(name="treated", dimensions=["division"], **quarterly, measures=counted, invariants=[]),
            support_feed(name="enrolment", dimensions=["region", "coverage"], **monthly, **lacking, rho="0.05"),
            support_feed(dimensions=["region"], **quarterly, measures=contacts, invariants=[], rho="0.05"),
        ],
    )


def rollup(of: str, held: dict[str, str]) -> JsonObject:
    groups = defaultdict(list)
    for value, group in held.items():
        groups[group].append(value)
    return {"of": of, "groups": dict(groups)}


@dataclass
class World:
    """An exchange of this contract, with what is posted under it."""

    document: JsonObject = field(default_factory=contract)
    posted: dict[str, Posted] = field(
        default_factory=lambda: {"fills": FILLS, "treated": TREATED, "enrolment": ENROLMENT, "support": SUPPORT}
    )

    def fill(self, small: SmallExchange) -> SmallExchange:
        small.agree(self.document)
        names = {feed["name"]: {*feed["dimensions"], *feed["measures"]} for feed in self.document["feeds"]}
        for feed, posted in self.posted.items():
            for (name, period), rows in posted.items():
                cells = [{key: row[key] for key in row.keys() & names[feed]} for row in rows]
                body = {"submission_id": str(uuid4()), "feed": feed, "period": period, "rows": cells}
                answered = small.submit(name, body)
                assert answered.status_code == 201, answered.get_json()
        return small


Begin = Callable[[NoiseSource | None, World], SmallExchange]


@pytest.fixture(scope="module")
def begin(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    begun = list[SmallExchange]()

    def new(noise: NoiseSource | None, world: World) -> SmallExchange:
        path = tmp_path_factory.mktemp("meeting") / "parley.db"
        copyfile(sqlite_template, path)
        begun.append(SmallExchange(f"sqlite:///{path}", noise=noise))
        return world.fill(begun[-1])

    yield new
    for small in begun:
        small.wiring.database.close()


@pytest.fixture(scope="module")
def exact(begin: Begin) -> SmallExchange:
    return begin(NoNoise(), World())


def shares(part: tuple[Posted, str], whole: tuple[Posted, str], by: Iterable[str]) -> Any:
    parts, wholes = (totals(posted, measure, by) for posted, measure in (part, whole))
    return pytest.approx({key: parts[key] / wholes[key] for key in wholes})


# --- sums


@pytest.mark.parametrize(
    "by", [("state",), ("division",), ("region",), ("region", "sex"), ("quarter", "division")], ids=str
)
def test_counts_by_a_roll_up_are_the_sums_of_what_it_holds(exact: SmallExchange, by: tuple[str, ...]) -> None:
    answered = answer(exact, "counts", feed="fills", by=",".join(by), measures="members", periods=QUARTER)

    assert values(answered) == approximately(totals(FILLS, "members", by))


@pytest.mark.parametrize(
    ("by", "where"),
    [
        ("state", {"region": ["northeast"]}),
        ("region", {"state": ["NY", "TX"]}),
        ("division", {"region": ["northeast"], "state": ["NY", "CT", "TX"]}),
        ("sex", {"division": ["gulf", "new_england"]}),
    ],
)
def test_a_filter_of_a_coarse_value_restricts_the_finer(
    exact: SmallExchange, by: str, where: dict[str, list[str]]
) -> None:
    asked = ",".join(f"{name}:{value}" for name, kept in where.items() for value in kept)
    answered = answer(exact, "counts", feed="fills", by=by, where=asked, measures="members")

    assert values(answered) == approximately(totals(FILLS, "members", [by], where))


def test_rolling_up_before_or_after_gives_the_same_with_the_noise_as_drawn(begin: Begin) -> None:
    noisy = begin(None, World())

    def counts(by: str, **query: str) -> dict[tuple[str, ...], float]:
        return values(answer(noisy, "counts", feed="fills", measures="members", **({"by": by} if by else {}), **query))

    monthly, sums = counts("state,sex,month", periods=QUARTER), dict[tuple[str, ...], float]()
    for (state, sex, _), value in monthly.items():
        key = (REGIONS[DIVISIONS[state]], sex, QUARTER)
        sums[key] = sums.get(key, 0.0) + value
    assert counts("region,sex,quarter", periods=QUARTER) == pytest.approx(sums, abs=1e-6)
    assert any(abs(value - round(value)) > 1e-6 for value in monthly.values())  # noise, fitted
    south = sum(value for (state, *_), value in monthly.items() if DIVISIONS[state] == "gulf")
    assert counts("", where="region:south") == {(): pytest.approx(south, abs=1e-6)}


# --- two feeds


def test_a_joint_table_meets_where_both_sides_roll_up_to(exact: SmallExchange) -> None:
    answered = answer(exact, "joint_table", feed="fills,support", by="region,quarter", periods=QUARTER)

    by = ("region", "quarter")
    assert values(answered, "pdc_pooled") == shares((FILLS, "days_covered"), (FILLS, "treatment_days"), by)
    assert values(answered, "contacts") == approximately(totals(SUPPORT, "contacts", by))
    assert list(answered["rows"][0]["key"]) == list(by)
    assert "ecological" in answered["labels"]
    assert any("not by person" in note for note in answered["notes"])
    fills, support = answered["coverage"]
    assert (fills["feed"], fills["covered"], fills["providers_fewest"]) == ("fills", list(MONTHS), 3)
    assert (support["feed"], support["covered"], support["provisional"]) == ("support", [QUARTER], [])
    assert not any("same stretch" in note for note in answered["notes"])


def test_the_payers_side_of_a_joint_table_can_be_any_of_their_measures(exact: SmallExchange) -> None:
    answered = answer(exact, "joint_table", of="counts", feed="treated,enrolment", by="region", measures="members")

    assert [row["figure"] for row in answered["rows"]] == ["members", "members", "enrolled", "enrolled"]
    assert values(answered, "members") == approximately(totals(TREATED, "members", ["region"]))
    assert values(answered, "enrolled") == approximately(totals(ENROLMENT, "enrolled", ["region"]))


def test_a_figure_that_both_sides_have_is_called_after_its_feed(exact: SmallExchange) -> None:
    answered = answer(
        exact, "joint_table", of="counts", feed="treated,support", by="region", measures="members,contacts"
    )

    assert {row["figure"] for row in answered["rows"]} == {"treated.members", "support.members", "contacts"}
    assert values(answered, "treated.members") == approximately(totals(TREATED, "members", ["region"]))
    assert values(answered, "support.members") == approximately(totals(SUPPORT, "members", ["region"]))


def test_penetration_divides_the_mean_of_the_finer_grain(exact: SmallExchange) -> None:
    answered = answer(exact, "psp_penetration", feed="treated,enrolment", by="region,quarter", periods=QUARTER)

    enrolled = totals(ENROLMENT, "enrolled", ["region"], {"coverage": ["in_network"]})
    members = totals(TREATED, "members", ["region"])
    assert values(answered) == pytest.approx({(*key, QUARTER): enrolled[key] / 3 / members[key] for key in members})
    assert any("mean over the 3 months of each quarter" in note for note in answered["notes"])
    assert [side["covered"] for side in answered["coverage"]] == [[QUARTER], list(MONTHS)]


def test_the_noise_of_a_mean_is_that_of_the_sum_over_the_square_of_how_many(exact: SmallExchange) -> None:
    asked = {"by": "region", "periods": QUARTER, "explain": "true"}
    shared = answer(exact, "psp_penetration", feed="treated,enrolment", **asked)["explanation"]["rows"]
    summed = answer(exact, "counts", feed="enrolment", where="coverage:in_network", **asked)["explanation"]["rows"]

    means = [row["working"]["terms"][0]["variance"] for row in shared]
    assert means == pytest.approx([row["working"]["terms"][0]["variance"] / 9 for row in summed])


def test_penetration_of_one_grain_meets_by_a_roll_up(exact: SmallExchange) -> None:
    answered = answer(exact, "psp_penetration", feed="fills,enrolment", by="region,month", where="region:south")

    where = {"region": ["south"]}
    enrolled = totals(ENROLMENT, "enrolled", ["region", "month"], where | {"coverage": ["in_network"]})
    members = totals(FILLS, "members", ["region", "month"], where)
    found = {key: value for key, value in values(answered).items() if value is not None}
    assert found == pytest.approx({key: enrolled[key] / members[key] for key in members})


# --- what changes nothing


def permuted(document: JsonObject) -> JsonObject:
    turned = {name: values[::-1] for name, values in document["vocabularies"].items()}
    feeds = [feed | {"dimensions": feed["dimensions"][::-1]} for feed in document["feeds"]]
    return document | {"vocabularies": turned, "feeds": feeds}


def with_an_empty_state(document: JsonObject) -> JsonObject:
    document["vocabularies"]["state"] = ["VT", *document["vocabularies"]["state"]]
    document["rollups"]["dimensions"]["division"]["groups"]["new_england"].append("VT")
    return document


def split(posted: Posted) -> Posted:
    """What sierra posts, by sierra and a foreigner: each measure in two parts."""
    parted = {}
    for (name, period), rows in posted.items():
        parted[name, period] = rows
        if name == "sierra":
            parts = [{k: v // 3 if isinstance(v, int) else v for k, v in row.items()} for row in rows]
            rests = [
                row | {k: row[k] - v for k, v in part.items() if isinstance(v, int)}
                for row, part in zip(rows, parts, strict=True)
            ]
            parted |= {(name, period): parts, ("foreigner", period): rests}
    return parted


def with_a_foreigner(document: JsonObject) -> JsonObject:
    party = {"organisation": "foreigner", "role": "payer", "population": "foreigner-members"}
    document["privacy"]["ceilings"]["foreigner-members"] = "0.1"
    return document | {"parties": [*document["parties"], party]}


QUESTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("counts", {"feed": "fills", "by": "division,sex"}),
    ("counts", {"feed": "fills", "by": "region,month", "where": "state:CT,state:TX,sex:F"}),
    ("pdc_pooled", {"by": "region"}),
    ("joint_table", {"feed": "fills,support", "by": "region"}),
    ("psp_penetration", {"feed": "treated,enrolment", "by": "region"}),
)
SAME = {
    "strata permuted": World(permuted(contract())),
    "an empty stratum added": World(with_an_empty_state(contract())),
    "a payer split in two": World(
        with_a_foreigner(contract()),
        {"fills": split(FILLS), "treated": split(TREATED), "enrolment": ENROLMENT, "support": SUPPORT},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_answers_do_not_depend_on(name: str, begin: Begin, exact: SmallExchange) -> None:
    other = begin(NoNoise(), SAME[name])

    for statistic, query in QUESTIONS:
        before, after = (comparable(answer(small, statistic, **query)) for small in (exact, other))
        assert after == pytest.approx(before, rel=1e-9), (statistic, query)


def comparable(answered: JsonObject) -> dict[tuple[Any, ...], Any]:
    """Values by figure and by names and values of the key, in whatever order."""
    return {
        (figure, *sorted(row["key"].items())): row["value"]
        for figure in sorted({row["figure"] for row in answered["rows"]})
        for row in table(answered, figure).values()
        if row["value"] is not None
    }


# --- what cannot be asked


@pytest.mark.parametrize(
    ("statistic", "query", "pointer", "fault", "says"),
    [
        ("counts", {"feed": "fills", "by": "state,region"}, "/by", "dimensions_nested", ("division", "region")),
        (
            "counts",
            {"feed": "fills", "where": "region:northeast,state:TX"},
            "/where",
            "filters_contradict",
            ("northeast is made of", "CT", "NY"),
        ),
        ("counts", {"feed": "fills", "where": "region:midwest"}, "/where", "value_unknown", ("northeast", "south")),
        ("counts", {"feed": "treated", "by": "state"}, "/by", "dimension_unknown", ("division", "region", "year")),
        (
            "joint_table",
            {"feed": "fills,support", "by": "division"},
            "/by",
            "dimension_unknown",
            ("fills and support together can be asked by region",),
        ),
        ("joint_table", {"feed": "fills,support", "by": "month"}, "/by", "grain_unknown", ("quarter", "year")),
        ("joint_table", {"of": "mood"}, "/of", "subject_unknown", ("pdc_pooled", "counts")),
        (
            "joint_table",
            {"feed": "treated,support", "of": "counts", "measures": "mood"},
            "/measures",
            "measure_unknown",
            ("treated", "contacts"),
        ),
        ("psp_penetration", {"feed": "treated,enrolment", "by": "month"}, "/by", "grain_unknown", ("quarter",)),
        ("psp_penetration", {"feed": "treated,enrolment", "periods": "2025-02"}, "/periods", "period_invalid", ("Q1",)),
    ],
    ids=str,
)
def test_what_does_not_meet_is_refused_with_what_would(
    exact: SmallExchange, statistic: str, query: dict[str, str], pointer: str, fault: str, says: tuple[str, ...]
) -> None:
    answered = exact.ask(BRAND, statistic, **query)

    assert_problem(answered, 422, "question-invalid", pointer, fault)
    detail = next(error["detail"] for error in answered.get_json()["errors"] if error["code"] == fault)
    assert [word for word in says if word not in detail] == []


def test_a_grant_of_the_coarse_dimension_is_none_of_the_fine(small: SmallExchange) -> None:
    document = contract()
    document["grants"][0]["dimensions"] = ["region", "month", "quarter"]
    World(document, {"fills": {key: FILLS[key] for key in FILLS if key[1] < MONTHS[2]}, "support": SUPPORT}).fill(small)

    answered = answer(small, "joint_table", feed="fills,support", by="region")

    assert {row["key"]["region"] for row in answered["rows"]} == {"northeast", "south"}
    stretches = "The two sides do not rest on the same stretch of time: fills on 2 months and support on 1 quarter."
    assert [note for note in answered["notes"] if stretches in note]
    for query in ({"by": "state"}, {"by": "region", "where": "state:CT"}, {"where": "division:gulf"}):
        assert_problem(small.ask(BRAND, "counts", feed="fills", **query), 403, "not-granted")
