"""The synthetic world of the demo keeps the promises of its contract, person by person and cell by cell."""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from api.demo.world import VOCABULARIES, Cells, World

PAYERS = ("blueridge", "lakeshore", "sierra")
DIMENSIONS = {
    "fills": ["region", "age_band", "sex", "line_of_business", "product"],
    "adherence": ["region", "age_band", "sex", "line_of_business", "adherence_band"],
    "support": ["region", "age_band", "product", "coverage"],
}
MEASURES = {
    "fills": ["members", "days_covered", "treatment_days", "new_starts"],
    "adherence": ["members", "hospitalised_members", "hospital_stays"],
    "support": ["enrolled", "contacts", "complaints", "adverse_event_reports"],
}


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=1, payers=PAYERS, first_year=2025)


def all_cells(world: World) -> Iterator[tuple[str, Cells]]:
    for payer in PAYERS:
        yield from (("fills", world.fills(payer, month)) for month in world.months)
        yield from (("adherence", world.adherence(payer, year)) for year in world.years)
    yield from (("support", world.support(month)) for month in world.months)


def rows(cells: Cells) -> list[dict[str, int]]:
    return [dict(zip(cells.measures, amounts, strict=True)) for amounts in zip(*cells.measures.values(), strict=True)]


def sum_by(cells: Cells, measure: str, by: tuple[str, ...], **where: str) -> Counter[tuple[str, ...]]:
    sums: Counter[tuple[str, ...]] = Counter()
    for place, amount in enumerate(cells.measures[measure]):
        stratum = {name: values[place] for name, values in cells.dimensions.items()}
        if all(stratum[name] == value for name, value in where.items()):
            sums[tuple(stratum[name] for name in by)] += amount
    return sums


def test_it_has_twenty_four_months_and_two_years(world: World) -> None:
    assert (world.months[0], world.months[-1], len(world.months)) == ("2025-01", "2026-12", 24)
    assert world.years == ["2025", "2026"]


def test_cells_are_parallel_columns_of_known_values_with_one_row_a_stratum(world: World) -> None:
    for feed, cells in all_cells(world):
        assert list(cells.dimensions) == DIMENSIONS[feed]
        assert list(cells.measures) == MEASURES[feed]
        assert len({len(column) for column in cells.columns().values()}) == 1
        strata = list(zip(*cells.dimensions.values(), strict=True))
        assert len(set(strata)) == len(strata)
        for name, values in cells.dimensions.items():
            assert set(values) <= set(VOCABULARIES[name])


def test_cells_are_plain_counts_and_no_row_is_all_zero(world: World) -> None:
    for _, cells in all_cells(world):
        for amounts in zip(*cells.measures.values(), strict=True):
            assert all(type(amount) is int and amount >= 0 for amount in amounts)
            assert any(amounts)


def test_every_cell_keeps_the_invariants_of_the_contract(world: World) -> None:
    for feed, cells in all_cells(world):
        for row in rows(cells):
            if feed == "fills":
                assert row["days_covered"] <= row["treatment_days"] <= 31 * row["members"]
                assert row["new_starts"] <= row["members"]
            elif feed == "adherence":
                assert row["hospitalised_members"] <= row["members"]
                assert row["hospitalised_members"] <= row["hospital_stays"]
                assert row["hospital_stays"] <= 10 * row["hospitalised_members"]
            else:
                assert row["contacts"] <= 5 * row["enrolled"]
                assert row["complaints"] <= row["enrolled"]
                assert row["adverse_event_reports"] <= 5 * row["enrolled"]


@pytest.mark.parametrize("payer", PAYERS)
def test_every_member_keeps_the_contribution_bounds(world: World, payer: str) -> None:
    members, years = world.get_members(payer), world.get_member_years(payer)
    month_days = [monthrange(int(month[:4]), int(month[5:]))[1] for month in world.months]
    assert (members.days_covered >= 0).all()
    assert (members.days_covered <= members.treatment_days).all()
    assert (members.treatment_days <= month_days).all()
    assert (members.treatment_days.sum(axis=1) > 0).all()
    assert (members.treatment_days[members.enrolled] > 0).all()
    starters = np.flatnonzero(members.start_month >= 0)
    assert (members.treatment_days[starters, members.start_month[starters]] > 0).all()
    assert years.hospital_stays.max() <= 10
    assert not years.hospital_stays[~years.treated].any()


def test_every_patient_keeps_the_contribution_bounds_and_only_the_enrolled_contribute(world: World) -> None:
    patients = world.patients
    for amounts, bound in (
        (patients.contacts, 5),
        (patients.complaints, 1),
        (patients.adverse_event_reports, 5),
    ):
        assert 0 < amounts.max() <= bound
        assert not amounts[~patients.enrolled].any()


@pytest.mark.parametrize("payer", PAYERS)
def test_treatment_once_stopped_is_not_taken_up_again(world: World, payer: str) -> None:
    treated = world.get_members(payer).treatment_days > 0
    changes = np.diff(treated.astype(int), axis=1, prepend=0)
    assert ((changes == 1).sum(axis=1) == 1).all()


def test_cells_hold_every_person_once(world: World) -> None:
    for payer in PAYERS:
        members, years = world.get_members(payer), world.get_member_years(payer)
        for month, period in enumerate(world.months):
            cells = world.fills(payer, period)
            assert sum(cells.measures["members"]) == (members.treatment_days[:, month] > 0).sum()
            assert sum(cells.measures["days_covered"]) == members.days_covered[:, month].sum()
        for place, year in enumerate(world.years):
            cells = world.adherence(payer, year)
            assert sum(cells.measures["members"]) == years.treated[:, place].sum()
            assert sum(cells.measures["hospital_stays"]) == years.hospital_stays[:, place].sum()


@pytest.mark.parametrize("payer", PAYERS)
def test_the_adherence_band_is_the_pdc_of_the_months_of_the_year(world: World, payer: str) -> None:
    members, years = world.get_members(payer), world.get_member_years(payer)
    for place, months in enumerate((slice(0, 12), slice(12, 24))):
        treated = years.treated[:, place]
        covered = members.days_covered[treated, months].sum(axis=1)
        days = members.treatment_days[treated, months].sum(axis=1)
        adherent = years.adherence_band[treated, place] == VOCABULARIES["adherence_band"].index("p80_100")
        assert (adherent == (5 * covered >= 4 * days)).all()


def test_only_helixor_patients_enrol_and_those_in_the_network_are_members_of_the_payers(world: World) -> None:
    by = ("region", "age_band", "product")
    for month in world.months:
        support = world.support(month)
        assert set(support.dimensions["product"]) <= {"helixor"}
        enrolled = sum_by(support, "enrolled", by, coverage="in_network")
        members = sum((sum_by(world.fills(payer, month), "members", by) for payer in PAYERS), Counter())
        assert all(enrolled[stratum] <= members[stratum] for stratum in enrolled)


def test_the_programme_opens_region_by_region_and_enrols_inside_and_outside_the_network(world: World) -> None:
    open_regions = [len(sum_by(world.support(month), "enrolled", ("region",))) for month in world.months]
    assert open_regions == sorted(open_regions)
    assert (open_regions[0], open_regions[-1]) == (0, 4)
    enrolled = sum_by(world.support(world.months[-1]), "enrolled", ("coverage",))
    assert enrolled[("in_network",)] > enrolled[("other",)] > 0


def test_the_programme_moves_adherence(world: World) -> None:
    helixor = VOCABULARIES["product"].index("helixor")
    everyone = [world.get_members(payer) for payer in PAYERS]
    # In the same region, among Helixor members in the last month, all regions being open by then.
    for region in range(len(VOCABULARIES["region"])):
        covered, days = Counter[bool](), Counter[bool]()
        for members in everyone:
            here = (members.codes["region"] == region) & (members.codes["product"] == helixor)
            for enrolled in (True, False):
                chosen = here & (members.enrolled[:, -1] == enrolled)
                covered[enrolled] += int(members.days_covered[chosen, -1].sum())
                days[enrolled] += int(members.treatment_days[chosen, -1].sum())
        assert covered[True] / days[True] > covered[False] / days[False] + 0.03


def test_adherence_differs_by_age_and_region_and_hospital_stays_fall_with_it(world: World) -> None:
    years = [world.adherence(payer, "2026") for payer in PAYERS]

    def pooled(measure: str, by: str, **where: str) -> Counter[tuple[str, ...]]:
        return sum((sum_by(cells, measure, (by,), **where) for cells in years), Counter())

    for by in ("age_band", "region"):
        everyone, adherent = pooled("members", by), pooled("members", by, adherence_band="p80_100")
        rates = [adherent[value] / everyone[value] for value in everyone]
        assert max(rates) - min(rates) > 0.1
    stays, members = pooled("hospital_stays", "adherence_band"), pooled("members", "adherence_band")
    assert stays[("p20_40",)] / members[("p20_40",)] > 1.3 * stays[("p80_100",)] / members[("p80_100",)]


def test_medicare_advantage_is_mostly_for_those_over_65(world: World) -> None:
    cells = world.fills("sierra", "2025-01")
    by_age = sum_by(cells, "members", ("age_band",), line_of_business="medicare_advantage")
    older = by_age[("65-74",)] + by_age[("75+",)]
    assert older > 0.9 * by_age.total()


def test_each_payer_is_at_home_in_another_region(world: World) -> None:
    by_region = [sum_by(world.fills(payer, "2025-01"), "members", ("region",)) for payer in PAYERS]
    assert len({max(members, key=members.__getitem__) for members in by_region}) == len(PAYERS)


def test_the_same_seed_gives_the_same_cells() -> None:
    one, again = (World(3, PAYERS, 2025, (900, 700, 800)) for _ in range(2))
    assert list(all_cells(one)) == list(all_cells(again))


def test_another_seed_gives_other_cells() -> None:
    one, other = (World(seed, PAYERS, 2025, (900, 700, 800)) for seed in (3, 4))
    assert one.fills("sierra", "2025-01") != other.fills("sierra", "2025-01")
    assert one.adherence("sierra", "2025") != other.adherence("sierra", "2025")
    assert one.support("2026-12") != other.support("2026-12")


def test_the_years_follow_the_first_year_leap_days_included() -> None:
    world = World(5, ("sierra",), 2027, (2_000,))
    assert world.years == ["2027", "2028"]
    assert world.get_members("sierra").treatment_days[:, world.months.index("2028-02")].max() == 29


def test_a_payer_without_a_number_of_members_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        World(1, PAYERS, 2025, (100, 100))
