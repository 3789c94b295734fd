"""The guarantee stands on this: one person more, with any history, moves the cells within the contract's bounds.

Noise hides one person because no person moves more than one stratum a period, k periods, and the bound of a measure.
Nothing downstream can see whether that holds, so it is tried here, first from facts of every kind, then from files.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.preparation import bounds, cells
from adapters.preparation.cells import FactsRepeated
from adapters.preparation.engine import Engine
from adapters.preparation.register import Register
from contracts.periods import Grain, Period
from contracts.preparation.definitions import CodeList, FeedDefinition, FromClaims, Persons, StayDays, Window
from contracts.preparation.dimensions import REASONS
from contracts.terms import FeedTerms
from privacy.release import ExactTable
from tests.support.absurd_claims import COMPARATOR, OWN, Person, an_absurd_person, populations, write_population
from tests.support.facts import TREATED, a_feed, day
from tests.support.one_person import Prepared, Run, broken_promises, cells_of_claims, cells_of_runs, exchange_takes

YEARS = [Period.parse(str(year), Grain.YEAR) for year in range(2008, 2012)]
FEED = a_feed(
    {
        "region": ["northeast", "midwest", "south", "west"],
        "age_band": ["18-64", "65+"],
        "adherence_band": ["p00_80", "p80_100"],
    },
    k=2,
    measures={
        "members": {"unit": "persons", "bound": 1},
        "days_covered": {"unit": "days", "bound": 300},
        "treatment_days": {"unit": "days", "bound": 366},
        "hospital_stays": {"unit": "stays", "bound": 10},
        "hospitalised_members": {"unit": "persons", "bound": 1},
        "allowed_cents": {"unit": "cents", "bound": 5_000_00},
    },
    invariants=[
        "days_covered <= treatment_days",
        "treatment_days <= 366 * members",
        "hospitalised_members <= hospital_stays",
        "hospital_stays <= 10 * hospitalised_members",
    ],
)

INT64 = st.integers(-(2**63), 2**63 - 1)
AMOUNTS = st.none() | st.integers(-3, 400) | INT64
ABSURD_FACTS = st.fixed_dictionaries(
    {
        "excluded_by": st.none() | st.none() | st.just("age"),
        "birth_day": st.sampled_from([day(1940, 1, 1), day(1980, 2, 29), day(1, 1, 1), day(9999, 12, 31), None]),
        "region": st.sampled_from(["MA", "OH", "TX", "CA", "west", "PR", "", None]),
        "days_covered": st.integers(0, 366) | AMOUNTS,
        "treatment_days": st.integers(1, 366) | AMOUNTS,
        "hospital_stays": AMOUNTS,
        "hospitalised_members": AMOUNTS,
        "allowed_cents": AMOUNTS,
    }
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.opened(threads=1) as opened:
        yield opened


@st.composite
def two_worlds(draw: st.DrawFn) -> tuple[list[Run], list[Run]]:
    """The same preparations without and with one person. Periods come in any order and again, as restatements do, and
    what is known of a person changes in between."""
    periods = draw(st.lists(st.sampled_from(YEARS), min_size=3, max_size=6))
    others = [f"b{i}" for i in range(draw(st.integers(0, 4)))]
    without, with_person = [], []
    for period in periods:
        persons = [{"member": name, **draw(ABSURD_FACTS)} for name in others]
        without.append((period, persons))
        with_person.append((period, draw(st.permutations([*persons, {"member": "x", **draw(ABSURD_FACTS)}]))))
    return without, with_person


def check_facts(engine: Engine, worlds: tuple[list[Run], list[Run]]) -> None:
    without, with_person = (cells_of_runs(engine, FEED, TREATED, runs) for runs in worlds)
    assert broken_promises(FEED, without, with_person) == []
    assert all(exchange_takes(FEED, prepared) for _, prepared in (*without, *with_person))


@pytest.mark.slow
@settings(max_examples=6)
@given(two_worlds())
def test_whatever_the_facts_of_one_more_person_the_cells_move_within_bounds(
    engine: Engine, worlds: tuple[list[Run], list[Run]]
) -> None:
    check_facts(engine, worlds)


@pytest.mark.slow
@settings(max_examples=150)
@given(two_worlds())
def test_hundreds_of_persons_with_any_facts_move_the_cells_within_bounds(
    engine: Engine, worlds: tuple[list[Run], list[Run]]
) -> None:
    check_facts(engine, worlds)


# --- from files


OF_CLASS = {"own": CodeList(frozenset(OWN), "0" * 64), "comparator": CodeList(frozenset(COMPARATOR), "1" * 64)}
PLACES = {"region": ["northeast", "midwest", "south", "west"], "sex": ["F", "M"]}


def from_files(
    name: str, persons: Persons, vocabularies: dict[str, list[str]], terms: dict[str, Any], **rules: Any
) -> Any:
    """terms: as of a contract, and `bounds` by measure beside members."""
    measures = {
        measure: {"unit": "cents" if measure == "allowed_cents" else "things", "bound": bound}
        for measure, bound in {"members": 1, **terms.pop("bounds", {})}.items()
    }
    feed = a_feed(vocabularies, name=name, measures=measures, **terms)
    return pytest.param(feed, FeedDefinition(persons, Window.YEAR, least_age=None, **rules), id=name)


QUARTERS = {"grain": "quarter", "first_period": "2009-Q1", "last_period": "2009-Q4"}
FEEDS = [
    from_files(
        "adherence",
        Persons.TREATED,
        {**PLACES, "age_band": ["under_65", "65+"], "adherence_band": ["p00_80", "p80_100"]},
        {
            "k": 2,
            "bounds": {"hospital_stays": 2, "hospitalised_members": 1, "days_covered": 200, "treatment_days": 366},
            "invariants": ["days_covered <= treatment_days", "hospital_stays <= 2 * hospitalised_members"],
        },
        stay_days=StayDays.REMOVED,
    ),
    from_files(
        "fills",
        Persons.TREATED,
        {"product": ["own", "comparator"], "line_of_business": ["commercial", "medicare_advantage"]},
        {
            **QUARTERS,
            "k": 3,
            "bounds": {"fills": 3, "days_covered": 92, "treatment_days": 92, "days_supplied": 100, "switches": 1},
            "invariants": ["days_covered <= treatment_days"],
        },
        products=OF_CLASS,
        least_fill_dates=1,
        least_treatment_days=1,
    ),
    from_files(
        "starts",
        Persons.STARTING,
        {**PLACES, "product": ["own", "comparator"]},
        {**QUARTERS, "k": 1},
        products=OF_CLASS,
    ),
    from_files(
        "exits",
        Persons.EXITING,
        {"product": ["own", "comparator"], "months_since_start": ["0", "1", "2+"], "reason": [*REASONS]},
        {**QUARTERS, "k": 1},
        products=OF_CLASS,
    ),
    from_files(
        "cost",
        Persons.ENROLLED,
        {"region": ["MA", "NY", "elsewhere"]},
        {"k": 3, "bounds": {"allowed_cents": 10_000_00, "ed_visits": 3, "ed_members": 1, "member_months": 12}},
        dimensions={"region": FromClaims("region", {}, "elsewhere")},
    ),
]


def check_files(
    engine: Engine, feed: FeedTerms, definition: FeedDefinition, people: dict[str, Person]
) -> tuple[Prepared, Prepared]:
    """The same files without and with the rows of the person x."""
    with TemporaryDirectory() as folder:
        without, with_person = (
            cells_of_claims(engine, feed, definition, write_population(Path(folder, str(len(those))), those))
            for those in ({name: person for name, person in people.items() if name != "x"}, people)
        )
    assert broken_promises(feed, without, with_person) == []
    assert all(exchange_takes(feed, prepared) for _, prepared in (*without, *with_person))
    return without, with_person


@pytest.mark.parametrize(
    ("feed", "definition"),
    [*FEEDS[:1], *(pytest.param(*each.values, id=each.id, marks=pytest.mark.slow) for each in FEEDS[1:])],
)
def test_a_person_whose_claims_are_absurd_moves_the_cells_and_within_bounds(
    engine: Engine, feed: FeedTerms, definition: FeedDefinition
) -> None:
    """Others have claims of the same ids on the same days, before and after it in the files."""
    people = {"b0": Person(), "x": an_absurd_person("F"), "b1": an_absurd_person("M")}
    without, with_person = check_files(engine, feed, definition, people)
    assert any(
        (more.tables["members"] != fewer.tables["members"]).any()
        for (_, fewer), (_, more) in zip(without, with_person, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("feed", "definition"), FEEDS)
@settings(max_examples=8, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(populations())
def test_dozens_of_persons_with_any_claims_move_the_cells_within_bounds(
    engine: Engine, feed: FeedTerms, definition: FeedDefinition, people: dict[str, Person]
) -> None:
    check_files(engine, feed, definition, people)


# --- what this would find


MODEST = {"birth_day": day(1940, 1, 1), "region": "MA", "days_covered": 366, "treatment_days": 366}
GREEDY = MODEST | {"hospital_stays": 4_000, "hospitalised_members": 1, "allowed_cents": 10**9}
NEVER_BEYOND = {"members", "treatment_days", "hospitalised_members"}


def worlds_of_a_greedy_person() -> tuple[list[Run], list[Run]]:
    """In every period, with more than the bounds, beside modest ones."""
    modest = [{"member": name, **MODEST} for name in ("a", "b", "c")]
    without: list[Run] = [(period, modest) for period in YEARS]
    return without, [(period, [*persons, {"member": "x", **GREEDY}]) for period, persons in without]


def test_a_person_beyond_all_bounds_moves_cells_to_the_bounds_and_no_further(engine: Engine) -> None:
    without, with_person = (cells_of_runs(engine, FEED, TREATED, runs) for runs in worlds_of_a_greedy_person())

    assert broken_promises(FEED, without, with_person) == []
    (_, fewer), (_, more) = without[0], with_person[0]
    moved = {name: int((more.tables[name] - fewer.tables[name]).max()) for name in FEED.measures}
    assert moved == FEED.bounds
    clipped_before = {"days_covered": 3}
    clipped_by_greed = {"days_covered": 4, "hospital_stays": 1, "allowed_cents": 1}
    assert fewer.counts.clipped == dict.fromkeys(FEED.measures, 0) | clipped_before
    assert more.counts.clipped == dict.fromkeys(FEED.measures, 0) | clipped_by_greed


def test_a_person_with_two_rows_of_facts_is_refused(engine: Engine) -> None:
    with pytest.raises(FactsRepeated):
        cells_of_runs(engine, FEED, TREATED, [(YEARS[0], [{"member": "x", **MODEST}, {"member": "x", **GREEDY}])])


def test_a_person_in_two_strata_of_a_period_would_be_found(engine: Engine) -> None:
    """As if a stratum were that of a fill, and a person had several."""
    rows = [{"member": "x", **MODEST}, {"member": "x elsewhere", **MODEST, "region": "CA"}]
    without, with_person = (cells_of_runs(engine, FEED, TREATED, [(YEARS[0], persons)]) for persons in ([], rows))
    assert broken_promises(FEED, without, with_person) == ["2 strata of a period"]


def no_clipping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "clipped", lambda amount, _: amount)


def clipping_after_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stratum is cut to as many bounds as it has persons."""
    no_clipping(monkeypatch)
    sums = cells._sums

    def cut(engine: Engine, feed: FeedTerms) -> dict[str, ExactTable]:
        found = sums(engine, feed)
        return {name: table.clip(0, feed.bounds[name] * found["members"]) for name, table in found.items()}

    monkeypatch.setattr(cells, "_sums", cut)


def clipping_to_what_others_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the largest amount of all, where nobody has the bound: a cut point that comes from data."""
    largest = "max({amount}) OVER ()"
    monkeypatch.setattr(bounds, "clipped", lambda amount, _: f"LEAST({amount}, {largest.format(amount=amount)})")


def no_k(monkeypatch: pytest.MonkeyPatch) -> None:
    _beyond_k_is(monkeypatch, "SELECT person FROM candidates WHERE FALSE")


def room_for_a_number_of_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last two by name are out, whoever they are: so who joins puts another one back in."""
    _beyond_k_is(monkeypatch, "SELECT person FROM candidates ORDER BY member DESC LIMIT 2")


def _beyond_k_is(monkeypatch: pytest.MonkeyPatch, select: str) -> None:
    def create_beyond(register: Register, _: Period) -> None:
        register.engine.create_table("beyond", select)

    monkeypatch.setattr(Register, "create_beyond", create_beyond)


@pytest.mark.parametrize(
    ("mutant", "found"),
    [
        (no_clipping, "allowed_cents beyond its bound"),
        (clipping_after_the_sum, "allowed_cents beyond its bound"),
        (clipping_to_what_others_have, "allowed_cents beyond its bound"),
        (no_k, "4 periods where k is 2"),
        (room_for_a_number_of_persons, "4 periods where k is 2"),
    ],
)
def test_a_preparation_that_breaks_a_bound_is_found(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None], found: str
) -> None:
    mutant(monkeypatch)
    without, with_person = (cells_of_runs(engine, FEED, TREATED, runs) for runs in worlds_of_a_greedy_person())
    assert found in broken_promises(FEED, without, with_person)
