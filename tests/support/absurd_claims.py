"""Claims of a few persons with every history that files can hold, for Hypothesis to draw from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

from tests.support.claims_folder import Row, write_claims

OWN: Final = ("ndc|00000000011", "ndc|00000000012")
COMPARATOR: Final = ("ndc|00000000021",)
_DRUGS: Final = st.sampled_from([*OWN, *OWN, *COMPARATOR, "ndc|00000000099", "|x", "no code at all", ""])
_SOUND_DATES: Final = [
    f"{year}-{month:02d}-{day:02d}" for year in (2008, 2009, 2010) for month in (1, 2, 4, 7, 12) for day in (1, 15, 28)
]
_ABSURD_DATES: Final = ["0001-01-01", "1066-10-14", "2008-02-29", "2009-02-29", "9999-12-31", "31/12/2009", "soon", ""]
_DATES: Final = st.sampled_from(_SOUND_DATES) | st.sampled_from(_SOUND_DATES) | st.sampled_from(_ABSURD_DATES)
_BIRTHS: Final = st.sampled_from(
    ["1940-02-29", "1980-06-01", "1991-01-01", "2009-03-01", "2999-01-01", "0001-01-01", ""]
)
_DEATHS: Final = st.sampled_from(["", "", "", "2009-07-04", "1800-01-01", "2010-02-31"])
_DAYS: Final = st.sampled_from(
    ["30", "30", "90", "90", "1", "0", "-30", "366", "99999999", "9" * 18, "9" * 30, "1.5", "x", ""]
)
_MONEY: Final = st.sampled_from(["12.34", "0", "-0.01", "-99999999.99", "9" * 12, "9" * 15, "1e9", "NaN", "free", ""])
_REGIONS: Final = st.sampled_from(["MA", "NY", "OH", "TX", "CA", "PR", "west", "'", ""])
_LINES: Final = st.sampled_from(["commercial", "medicare_advantage", "other", ""])
# Few, and shared by everybody: what one person's rows are may not depend on another's of the same id.
_CLAIM_IDS: Final = st.sampled_from(["1", "2", "3", "4", "", "", "", ""])
_REVERSED: Final = st.sampled_from(["", "", "false", "true", "perhaps"])
_STAY_TYPES: Final = st.sampled_from(["inpatient", "inpatient", "snf", "", "?"])
_VISIT_TYPES: Final = st.sampled_from(["ed", "ed", "office", ""])
_CODES: Final = st.sampled_from(["", "icd9cm|4019", "icd9cm|25000 hcpcs|99281", "|", "; --"])

_MEMBERS: Final = st.fixed_dictionaries(
    {
        "birth_date": _BIRTHS,
        "sex": st.sampled_from(["F", "M", "X", ""]),
        "region": _REGIONS,
        "line_of_business": _LINES,
        "death_date": _DEATHS,
    }
)
_ENROLMENT: Final = st.fixed_dictionaries(
    {"first_date": _DATES, "last_date": _DATES, "region": _REGIONS, "line_of_business": _LINES}
)
_WHOLE_TIME: Final = st.just(
    {"first_date": "2007-01-01", "last_date": "", "region": "MA", "line_of_business": "commercial"}
)
_FILLS: Final = st.fixed_dictionaries(
    {
        "fill_date": _DATES,
        "drug": _DRUGS,
        "days_supply": _DAYS,
        "quantity": st.just("30"),
        "allowed": _MONEY,
        "reversed": _REVERSED,
        "claim": _CLAIM_IDS,
    }
)
_STAYS: Final = st.fixed_dictionaries(
    {
        "admission_date": _DATES,
        "discharge_date": _DATES,
        "type": _STAY_TYPES,
        "codes": _CODES,
        "allowed": _MONEY,
        "claim": _CLAIM_IDS,
    }
)
_VISITS: Final = st.fixed_dictionaries(
    {"visit_date": _DATES, "type": _VISIT_TYPES, "codes": _CODES, "allowed": _MONEY, "claim": _CLAIM_IDS}
)
# A sound row of each table, of somebody who is always there: a file without any is refused.
_SOUND: Final[Mapping[str, Row]] = {
    "members": {"birth_date": "1950-01-01", "sex": "F", "region": "MA", "line_of_business": "", "death_date": ""},
    "enrolment": {"first_date": "2007-01-01", "last_date": "", "region": "", "line_of_business": ""},
    "fills": {
        "fill_date": "2009-02-01",
        "drug": OWN[0],
        "days_supply": "30",
        "quantity": "30",
        "allowed": "1.00",
        "reversed": "",
        "claim": "1",
    },
    "stays": {
        "admission_date": "2009-02-01",
        "discharge_date": "2009-02-02",
        "type": "inpatient",
        "codes": "icd9cm|4019",
        "allowed": "1.00",
        "claim": "1",
    },
    "visits": {"visit_date": "2009-02-01", "type": "ed", "codes": "icd9cm|4019", "allowed": "1.00", "claim": "1"},
}
# Twice or thrice the same is usual; thousands of fills on one day are not, and happen.
_TIMES: Final = st.sampled_from([1, 1, 1, 1, 2, 3, 2_000])


@dataclass(frozen=True, slots=True)
class Person:
    """All rows of one person, by table, without the member id."""

    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)


@st.composite
def persons(draw: st.DrawFn) -> Person:
    fills = [
        row | ({} if times < 4 else {"claim": f"burst {i}"})
        for row in draw(st.lists(_FILLS, max_size=8))
        for times in [draw(_TIMES)]
        for i in range(times)
    ]
    return Person(
        {
            "members": draw(st.lists(_MEMBERS, min_size=1, max_size=3) | st.just([])),
            "enrolment": draw(st.lists(_WHOLE_TIME, min_size=1, max_size=1) | st.lists(_ENROLMENT, max_size=4)),
            "fills": fills,
            "stays": draw(st.lists(_STAYS, max_size=4)),
            "visits": draw(st.lists(_VISITS, max_size=4)),
        }
    )


def an_absurd_person(sex: str) -> Person:
    """Whose claims hold a bit of everything, and more than any bound."""
    fill = {"drug": OWN[0], "days_supply": "90", "quantity": "30", "allowed": "9" * 9, "reversed": "", "claim": ""}
    burst = [fill | {"fill_date": "2009-07-01", "days_supply": "0", "claim": f"burst {i}"} for i in range(2_000)]
    days = ["2009-01-15", "2009-02-01", "2009-04-15", "2010-01-02", "2011-03-01"]
    usual = [fill | {"fill_date": each, "claim": each} for each in days]
    others = [
        fill | {"fill_date": "2009-02-01", "drug": COMPARATOR[0], "claim": "2"},
        fill | {"fill_date": "2009-02-01", "drug": COMPARATOR[0], "claim": "2", "reversed": "true"},
        fill | {"fill_date": "2009-03-01", "days_supply": "-90"},
        fill | {"fill_date": "2009-03-01", "days_supply": "9" * 18, "allowed": "-99999999.99"},
        *(fill | {"fill_date": each} for each in ("0001-01-01", "1066-10-14", "9999-12-31", "2009-02-30", "soon", "")),
    ]
    stay = {"type": "inpatient", "codes": "|", "allowed": "5.00", "claim": "1"}
    days_of_stays = [("2009-02-01", "2009-02-09"), ("2009-02-05", "2009-02-20"), ("2009-03-01", "2009-03-01")]
    days_of_stays += [("2009-05-01", "2009-05-02"), ("2009-06-01", "2009-05-01"), ("2009-12-30", "2010-01-04")]
    births = ["1940-02-29", "1980-06-01", ""]
    places = ["MA", "CA", "TX"]
    spans = [
        ("2007-01-01", "2009-12-31"),
        ("2009-06-01", "2010-06-30"),
        ("2010-09-01", ""),
        ("2009-05-01", "2009-04-01"),
    ]
    visit = {"type": "ed", "codes": "", "allowed": "1.00", "claim": "1"}
    return Person(
        {
            "members": [{"birth_date": b, "sex": sex, "region": r} for b, r in zip(births, places, strict=True)],
            "enrolment": [
                {"first_date": first, "last_date": last, "region": region, "line_of_business": "commercial"}
                for (first, last), region in zip(spans, [*places, "MA"], strict=True)
            ],
            "fills": [*usual, *usual, *burst, *others],
            "stays": [stay | {"admission_date": first, "discharge_date": last} for first, last in days_of_stays],
            "visits": [visit | {"visit_date": f"2009-04-{day:02d}"} for day in range(1, 31)],
        }
    )


@st.composite
def populations(draw: st.DrawFn) -> dict[str, Person]:
    """A few persons by member id, among them x, in any order."""
    names = draw(st.permutations(["x", *(f"b{i}" for i in range(draw(st.integers(0, 3))))]))
    return {name: draw(persons()) for name in names}


def write_population(folder: Path, people: Mapping[str, Person]) -> Path:
    """Rows of different persons one after the other, in the order of `people`."""
    tables = {name: list(_of(name, people)) for name in ("members", "enrolment", "fills", "stays", "visits")}
    return write_claims(folder, **{name: [{"member": "somebody", **_SOUND[name]}, *tables[name]] for name in tables})


def _of(table: str, people: Mapping[str, Person]) -> Iterable[Row]:
    return ({"member": name, **row} for name, person in people.items() for row in person.rows.get(table, ()))
