"""A definitions file is read strictly, has one digest, and what it cannot do is said before a claim is read."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from adapters.claims.model import TABLES
from adapters.preparation.definitions_file import MAX_BYTES, FileUnreadable, read_definitions_file
from api.contract_templates import fill_in, template_names
from api.demo.contract import demo_contract
from contracts.parties import JsonObject
from contracts.preparation.checking import digest_faults, off_limits_faults, preparation_faults
from contracts.preparation.defaults import default_definition
from contracts.preparation.definitions import (
    CodeList,
    Definitions,
    EmergencyAdmissions,
    FeedDefinition,
    FromClaims,
    Persons,
    StayDays,
    Window,
)
from contracts.preparation.feed_keys import FEED_KEYS
from contracts.preparation.reading import DefinitionsFile, DefinitionsInvalid, definitions_for
from contracts.preparation.warning import preparation_warnings
from contracts.refusals import MAX_FAULTS, Fault
from contracts.terms import FeedTerms, LifeTable, MeasureTerms, read_feed

EXAMPLES = Path(__file__).parents[2] / "examples" / "preparation"
EVERYTHING = frozenset(
    {table.name for table in TABLES} | {f"{table.name}.{column.name}" for table in TABLES for column in table.columns}
)
LEFT_OUT = {"emergency_admissions": EmergencyAdmissions.LEFT_OUT}
YOUNG_AND_OLD = FromClaims("age_band", {"0-64": "young", "65+": "old"})
DRUGS = {"helixor": CodeList(frozenset({"ndc|1"}), "a1"), "comparator": CodeList(frozenset({"ndc|2"}), "b2")}


def feeds_of(document: JsonObject) -> list[FeedTerms]:
    vocabularies = {name: tuple(values) for name, values in document["vocabularies"].items()}
    defaults = {"restatements": 0, "measured": "exchange", "invariants": [], "expected": {}, "tables": []}
    return [read_feed(defaults | feed, vocabularies) for feed in document["feeds"]]


@cache
def demo_feed(name: str) -> FeedTerms:
    return next(feed for feed in feeds_of(demo_contract(date(2026, 7, 1))) if feed.name == name)


def feed_with(name: str = "adherence", measures: str = "", **dimensions: tuple[str, ...]) -> FeedTerms:
    """A feed of the demo with these measures, of the units of the catalogue, and these vocabularies."""
    units = {"stays": "stays", "allowed_cents": "cents", "switches": "switches", "ed_visits": "visits"}
    terms = {each: MeasureTerms(units.get(each, "persons"), 1) for each in measures.split()}
    feed = demo_feed(name)
    return replace(feed, measures=terms or feed.measures, vocabularies=dimensions or feed.vocabularies)


def written(folder: Path, text: str, **lists: str) -> Path:
    """A definitions file, with lists of codes beside it."""
    for name, codes in lists.items():
        (folder / f"{name}.csv").write_text(codes)
    path = folder / "prep.yaml"
    path.write_text(dedent(text))
    return path


def read(folder: Path, text: str, **lists: str) -> DefinitionsFile:
    return read_definitions_file(written(folder, text, **lists))


def refused(folder: Path, text: str, **lists: str) -> list[tuple[str, str]]:
    with pytest.raises(DefinitionsInvalid) as invalid:
        read(folder, text, **lists)
    return [(fault.pointer, fault.code) for fault in invalid.value.faults]


def codes(faults: list[Fault]) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in faults]


# --- defaults


@pytest.mark.parametrize(
    ("feed", "persons"),
    [
        (demo_feed("fills"), Persons.TREATED),
        (demo_feed("adherence"), Persons.TREATED),
        (feed_with(measures="members hospital_stays", sex=("F", "M")), Persons.ENROLLED),
        (feed_with(measures="members new_starts", sex=("F", "M")), Persons.ENROLLED),
        (feed_with(measures="members new_starts", product=("helixor", "comparator")), Persons.TREATED),
        (feed_with(measures="members adherent_members", sex=("F", "M")), Persons.TREATED),
        (feed_with(measures="members", reason=("stopped",)), Persons.EXITING),
        (replace(demo_feed("fills"), life_table=LifeTable.STARTS), Persons.STARTING),
        (replace(demo_feed("fills"), life_table=LifeTable.EXITS), Persons.EXITING),
    ],
)
def test_whom_a_feed_is_about_follows_from_the_contract(feed: FeedTerms, persons: Persons) -> None:
    assert default_definition(feed) == FeedDefinition(persons, Window.YEAR)


def test_what_a_name_means_decides_whom_the_feed_is_about() -> None:
    feed = feed_with(measures="members", band=("adherent", "nonadherent"))

    assert default_definition(feed).persons is Persons.ENROLLED
    assert default_definition(feed, dimensions={"band": FromClaims("adherence_band")}).persons is Persons.TREATED
    assert default_definition(feed, measures={"members": "pdc_basis_points"}).persons is Persons.TREATED


def test_the_demos_years_are_prepared_without_a_file() -> None:
    feed = demo_feed("adherence")
    found = definitions_for([feed, demo_feed("support")], None)

    assert found == Definitions({"adherence": default_definition(feed)}, None)
    assert preparation_faults(feed, found.feeds["adherence"], EVERYTHING) == []
    assert preparation_warnings(feed, found.feeds["adherence"], EVERYTHING) == []


def test_every_payers_feed_of_a_contract_template_is_prepared_once_its_drugs_are_named() -> None:
    asked = 0
    for name in template_names():
        for feed in feeds_of(yaml.safe_load(fill_in(name, {}, date(2026, 7, 1)))):
            if feed.provider != "payer" or feed.linked is not None:  # no claims hold a brand's flag
                continue
            products = {
                each: CodeList(frozenset({f"ndc|{each}"}), each) for each in feed.vocabularies.get("product", ())
            }
            places = {"state": FromClaims("region")} if "state" in feed.vocabularies else {}
            usual = default_definition(feed)
            definition = replace(usual, products=products or None, dimensions={**usual.dimensions, **places})
            assert preparation_faults(feed, definition, EVERYTHING) == []
            asked += 1
    assert asked >= 4


# --- reading


def test_the_example_says_what_it_says() -> None:
    file = read_definitions_file(EXAMPLES / "definitions.yaml")
    found = definitions_for([demo_feed("fills"), demo_feed("adherence")], file)

    for name, definition in found.feeds.items():
        assert preparation_faults(demo_feed(name), definition, EVERYTHING) == []
        assert preparation_warnings(demo_feed(name), definition, EVERYTHING) == []
    adherence = found.feeds["adherence"]
    assert adherence.products is not None
    # Brought to 11 digits, 5-4-2, as in pharmacy claims.
    assert {"ndc|67877051190", "rxnorm|617310"} <= adherence.products["helixor"].codes
    assert adherence.exclusions["end_stage_renal_disease"].codes == {"icd10cm|N186", "icd9cm|5856"}
    assert adherence.stay_days is StayDays.REMOVED
    assert found.feeds["fills"].stay_days is StayDays.COUNTED
    assert adherence.dimensions["sex"] == FromClaims("sex", {"1": "M", "2": "F"})


def test_the_template_has_every_key_at_its_default() -> None:
    path = EXAMPLES / "template.yaml"
    feed = demo_feed("adherence")

    assert list(yaml.safe_load(path.read_text())["feeds"]["adherence"]) == list(FEED_KEYS)
    assert read_definitions_file(path).definition_of(feed) == default_definition(feed)


def test_every_key_is_read_into_its_field(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        """
        drugs:
          helixor: {codes: [ndc|00093-7146-98]}
          other: {code_list: other.csv}
        code_lists: {hospice: {codes: [hcpcs|G0182]}, esrd: {codes: [N18.6]}}
        feeds:
          adherence:
            persons: enrolled
            drugs: [helixor]
            window: {days: 365}
            least_fill_dates: 1
            least_treatment_days: 30
            least_age: none
            threshold: "0.85"
            stay_days: removed
            emergency_admissions: left_out
            exclude: [hospice]
            gap_days: 60
            washout_days: 365
            enrolment_gap_days: 45
            measures: {persons: members}
            dimensions: {plan: {from: line_of_business, values: {MA: medicare}, otherwise: other}}
        """,
        other="code\n617310\n",
    )

    helixor, hospice = frozenset({"ndc|00093714698"}), frozenset({"hcpcs|G0182"})
    found = file.definition_of(demo_feed("adherence"))
    assert found == FeedDefinition(
        persons=Persons.ENROLLED,
        window=Window.INDEX,
        window_days=365,
        products={"helixor": CodeList(helixor, digest({"codes": ["ndc|00093-7146-98"]}))},
        least_fill_dates=1,
        least_treatment_days=30,
        least_age=None,
        threshold=Fraction(17, 20),
        stay_days=StayDays.REMOVED,
        emergency_admissions=EmergencyAdmissions.LEFT_OUT,
        exclusions={"hospice": CodeList(hospice, digest({"codes": ["hcpcs|G0182"]}))},
        gap_days=60,
        washout_days=365,
        enrolment_gap_days=45,
        measures={"persons": "members"},
        dimensions={"plan": FromClaims("line_of_business", {"MA": "medicare"}, "other")},
    )
    other = file.definition_of(demo_feed("fills"))  # of which the file says nothing but the drugs
    assert other.products is not None
    assert other == replace(default_definition(demo_feed("fills")), products=other.products)
    assert other.products["other"] == CodeList(frozenset({"|617310"}), hashlib.sha256(b"code\n617310\n").hexdigest())


@pytest.mark.parametrize(
    ("written_as", "exact"), [('"0.80"', Fraction(4, 5)), ("0.333", Fraction(333, 1000)), ('"1"', Fraction(1))]
)
def test_a_threshold_is_exactly_what_is_written(tmp_path: Path, written_as: str, exact: Fraction) -> None:
    file = read(tmp_path, f"feeds: {{adherence: {{threshold: {written_as}}}}}")

    assert file.definition_of(demo_feed("adherence")).threshold == exact


def test_codes_keep_their_zeros_and_words_stay_words(tmp_path: Path) -> None:
    """YAML 1.1 would read an octal number, a date and three booleans."""
    file = read(
        tmp_path,
        """
        drugs: {helixor: {codes: [0012, 00093714698, 2019-01-01]}}
        feeds: {adherence: {dimensions: {sex: {from: sex, values: {no: F, yes: M, on: "no"}}}}}
        """,
    )

    assert file.products is not None
    assert file.products["helixor"].codes == {"|0012", "|00093714698", "|2019-01-01"}
    assert file.feeds["adherence"]["dimensions"]["sex"].values == {"no": "F", "yes": "M", "on": "no"}


def test_a_number_for_a_code_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DefinitionsInvalid) as invalid:
        read(tmp_path, "drugs: {helixor: {codes: [ndc|1, 93714698]}}")

    assert codes(list(invalid.value.faults)) == [("/drugs/helixor/codes/1", "text_wanted")]
    assert "quotes" in invalid.value.faults[0].message


@pytest.mark.parametrize(
    ("text", "pointer", "code"),
    [
        ("", "", "value_invalid"),
        ("[]", "", "value_invalid"),
        ("drug: {}", "/drug", "key_unknown"),
        ("drugs: {}", "/drugs", "value_invalid"),
        ("drugs: [ndc|1]", "/drugs", "value_invalid"),
        ("drugs: {a: [ndc|1]}", "/drugs/a", "value_invalid"),
        ("drugs: {a: {}}", "/drugs/a", "key_missing"),
        ("drugs: {a: {codes: [b], code_list: b.csv}}", "/drugs/a", "key_missing"),
        ("drugs: {a: {codes: []}}", "/drugs/a/codes", "code_list_empty"),
        ("drugs: {a: {codes: [a b c, '*']}}", "/drugs/a/codes", "code_list_refused"),
        ("drugs: {a: {codes: [true]}}", "/drugs/a/codes/0", "text_wanted"),
        ("drugs: {a: {code_list: nowhere.csv}}", "/drugs/a/code_list", "code_list_refused"),
        ("drugs: {a: {code_list: .}}", "/drugs/a/code_list", "code_list_refused"),
        ('drugs: {a: {code_list: "a\\0b"}}', "/drugs/a/code_list", "code_list_refused"),
        ("drugs: {a: {codes: [ndc|1]}, b: {codes: [ndc|1]}}", "/drugs/b", "code_of_two_products"),
        ("feeds: {f: {exclude: [hospise]}}", "/feeds/f/exclude/0", "code_list_unknown"),
        ("feeds: {f: {exclude: hospice}}", "/feeds/f/exclude", "value_invalid"),
        ("feeds: {f: {drugs: [a]}}", "/feeds/f/drugs/0", "product_unknown"),
        ("feeds: {f: {drugs: []}}", "/feeds/f/drugs", "value_invalid"),
        ("feeds: {f: {person: treated}}", "/feeds/f/person", "key_unknown"),
        ("feeds: {f: {persons: everybody}}", "/feeds/f/persons", "value_invalid"),
        ("feeds: {f: {persons: [treated]}}", "/feeds/f/persons", "value_invalid"),
        ("feeds: {f: {window: index}}", "/feeds/f/window", "value_invalid"),
        ("feeds: {f: {window: {days: 0}}}", "/feeds/f/window/days", "value_invalid"),
        ("feeds: {f: {window: {weeks: 4}}}", "/feeds/f/window/weeks", "key_unknown"),
        ("feeds: {f: {window: {}}}", "/feeds/f/window", "value_invalid"),
        ("feeds: {f: {window: [year]}}", "/feeds/f/window", "value_invalid"),
        ("feeds: {f: {gap_days: '30'}}", "/feeds/f/gap_days", "value_invalid"),
        ("feeds: {f: {gap_days: -1}}", "/feeds/f/gap_days", "value_invalid"),
        ("feeds: {f: {gap_days: true}}", "/feeds/f/gap_days", "value_invalid"),
        ("feeds: {f: {gap_days: 30.5}}", "/feeds/f/gap_days", "value_invalid"),
        ("feeds: {f: {gap_days: 1" + "0" * 400 + "}}", "/feeds/f/gap_days", "value_invalid"),
        ("feeds: {f: {least_age: null}}", "/feeds/f/least_age", "value_invalid"),
        ("feeds: {f: {least_age: 200}}", "/feeds/f/least_age", "value_invalid"),
        ("feeds: {f: {least_age: false}}", "/feeds/f/least_age", "value_invalid"),
        ("feeds: {f: {threshold: 1}}", "/feeds/f/threshold", "value_invalid"),
        ("feeds: {f: {threshold: '1.1'}}", "/feeds/f/threshold", "value_invalid"),
        ("feeds: {f: {threshold: '0.0'}}", "/feeds/f/threshold", "value_invalid"),
        ("feeds: {f: {threshold: 4/5}}", "/feeds/f/threshold", "value_invalid"),
        ("feeds: {f: {threshold: 80%}}", "/feeds/f/threshold", "value_invalid"),
        ("feeds: {f: {threshold: '0.12345'}}", "/feeds/f/threshold", "value_invalid"),
        ("feeds: {f: {measures: {a: 1}}}", "/feeds/f/measures/a", "text_wanted"),
        ("feeds: {f: {measures: {a: ''}}}", "/feeds/f/measures/a", "value_invalid"),
        ("feeds: {f: {dimensions: {a: sex}}}", "/feeds/f/dimensions/a", "value_invalid"),
        ("feeds: {f: {dimensions: {a: {values: {}}}}}", "/feeds/f/dimensions/a", "key_missing"),
        ("feeds: {f: {dimensions: {a: {from: s, values: {1: F}}}}}", "/feeds/f/dimensions/a/values/1", "name_not_text"),
        ("feeds: {f: {dimensions: {a: {from: sex, othrwise: F}}}}", "/feeds/f/dimensions/a/othrwise", "key_unknown"),
        ('feeds: {"a/b~c": {x: 1}}', "/feeds/a~1b~0c/x", "key_unknown"),
        ("feeds: {f: {}, f: {}}", "", "yaml_invalid"),
        ("feeds: {f: {exclude: &a [], drugs: *a}}", "", "yaml_invalid"),
        ("feeds: {f: {<<: {gap_days: 1}}}", "/feeds/f/<<", "key_unknown"),
        ("feeds: !!python/object:os.system {}", "", "yaml_invalid"),
        ("feeds: !!timestamp 2001-01-01", "/feeds", "value_invalid"),
        ("feeds: {", "", "yaml_invalid"),
        ("feeds: {}\n---\nfeeds: {}", "", "yaml_invalid"),
        ("[" * 5_000, "", "yaml_invalid"),
        ("feeds: \x07", "", "yaml_invalid"),
    ],
)  # fmt: skip
def test_what_is_not_meant_is_refused_where_it_stands(tmp_path: Path, text: str, pointer: str, code: str) -> None:
    assert (pointer, code) in refused(tmp_path, text)


def test_all_faults_are_told_at_once_with_what_was_probably_meant(tmp_path: Path) -> None:
    text = """
        drugs: {helixor: {codes: [1]}}
        code_lists: {hospice: {codes: [G0182]}}
        feeds:
          adherence: {perons: treated, gap_days: many, exclude: [hospise]}
          fills: {threshold: 2}
        """
    with pytest.raises(DefinitionsInvalid) as invalid:
        read(tmp_path, text)

    found = {fault.pointer: fault.message for fault in invalid.value.faults}
    assert set(found) == {
        "/drugs/helixor/codes/0", "/feeds/adherence/perons", "/feeds/adherence/gap_days",
        "/feeds/adherence/exclude/0", "/feeds/fills/threshold",
    }  # fmt: skip
    assert "did you mean persons?" in found["/feeds/adherence/perons"]
    assert "did you mean hospice?" in found["/feeds/adherence/exclude/0"]


def test_a_refusal_stays_short(tmp_path: Path) -> None:
    many = "".join(f"  k{i}: {{a: {'x' * 100}}}\n" for i in range(1000))

    with pytest.raises(DefinitionsInvalid) as invalid:
        read(tmp_path, f"feeds:\n{many}")

    assert len(invalid.value.faults) == MAX_FAULTS + 1
    assert all(len(fault.message) < 400 for fault in invalid.value.faults)


def test_a_feed_that_the_contract_does_not_have_is_refused(tmp_path: Path) -> None:
    file = read(tmp_path, "feeds: {adherance: {}, support: {}}")

    with pytest.raises(DefinitionsInvalid) as invalid:
        definitions_for([demo_feed("adherence"), demo_feed("support")], file)

    assert codes(list(invalid.value.faults)) == [
        ("/feeds/adherance", "feed_unknown"),
        ("/feeds/support", "feed_unknown"),
    ]
    assert "did you mean adherence?" in invalid.value.faults[0].message


def test_what_is_no_file_says_so(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("feeds: {} # Präparat".encode("latin-1"))

    for path in (tmp_path / "absent.yaml", tmp_path, large):
        with pytest.raises(FileUnreadable, match=path.name):
            read_definitions_file(path)
    with pytest.raises(DefinitionsInvalid) as invalid:
        read_definitions_file(latin)
    assert codes(list(invalid.value.faults)) == [("", "yaml_invalid")]


def test_a_fault_of_yaml_says_its_line(tmp_path: Path) -> None:
    """Of the object in which a key stands twice, and of an alias."""
    said = []
    for text in ("feeds:\n  f: {}\n  f: {}\n", "feeds:\n  f: &a {}\n  g: *a\n"):
        with pytest.raises(DefinitionsInvalid) as invalid:
            read(tmp_path, text)
        said.append(invalid.value.faults[0].message.partition(":")[0])
    assert said == ["line 2", "line 3"]


# --- the digest


def digest(document: JsonObject) -> str:
    """RFC 8785 without its library: for plain names and whole numbers it is sorted JSON without spaces."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


DIGESTED = """
    drugs: {helixor: {code_list: lists/a.csv}}
    code_lists: {hospice: {codes: [hcpcs|G0182]}}
    feeds: {adherence: {gap_days: 60, threshold: "0.80"}}
    """


def test_the_digest_is_of_the_canonical_document_with_lists_by_their_digests(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.csv").write_text("ndc|1\n")

    expected = {
        "drugs": {"helixor": {"sha256": hashlib.sha256(b"ndc|1\n").hexdigest()}},
        "code_lists": {"hospice": {"sha256": digest({"codes": ["hcpcs|G0182"]})}},
        "feeds": {"adherence": {"gap_days": 60, "threshold": "0.80"}},
    }
    assert read(tmp_path, DIGESTED).sha256 == digest(expected)


def digest_after(folder: Path, change: Callable[[str], str], content: str = "ndc|1\n") -> str:
    (folder / "lists").mkdir(exist_ok=True)
    for name in ("a.csv", "b.csv"):
        (folder / "lists" / name).write_text(content)
    return read(folder, change(DIGESTED)).sha256


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("a.csv", "b.csv"),
        lambda text: dedent(text) + "# a comment\n",
        lambda text: text.replace('gap_days: 60, threshold: "0.80"', "threshold: '0.80', gap_days: 60"),
        lambda text: "\n".join(reversed(dedent(text).strip().splitlines())),
    ],
)
def test_paths_comments_and_order_do_not_count(tmp_path: Path, change: Callable[[str], str]) -> None:
    assert digest_after(tmp_path, change) == digest_after(tmp_path, str)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("60", "61"),
        lambda text: text.replace("G0182", "G0183"),
        lambda text: text.replace("helixor", "helix"),
        lambda text: text.replace("gap_days: 60", "gap_days: 60, least_age: 18"),
    ],
)
def test_every_rule_counts(tmp_path: Path, change: Callable[[str], str]) -> None:
    assert digest_after(tmp_path, change) != digest_after(tmp_path, str)


def test_every_code_of_a_list_counts(tmp_path: Path) -> None:
    assert digest_after(tmp_path, str, "ndc|1\nndc|2\n") != digest_after(tmp_path, str)


def test_other_definitions_than_the_contracts_are_refused(tmp_path: Path) -> None:
    file = read(tmp_path, "feeds: {adherence: {gap_days: 60}}")
    feed, other = demo_feed("adherence"), "ab" * 32
    definitions = definitions_for([feed], file)

    assert digest_faults(feed, definitions) == []
    assert digest_faults(replace(feed, preparation_sha256=file.sha256), definitions) == []
    for have in (definitions, definitions_for([feed], None)):
        (fault,) = digest_faults(replace(feed, preparation_sha256=other), have)
        assert (fault.pointer, fault.code) == ("/feeds/adherence", "definitions_differ")
        assert other in fault.message
        assert (have.sha256 or "no definitions file") in fault.message


def test_a_list_that_the_contract_names_must_be_given() -> None:
    named, other = "ab" * 32, "cd" * 32

    assert off_limits_faults(None, []) == off_limits_faults(None, [other]) == []
    assert off_limits_faults(named, [other, named]) == []
    for given in ([], [other]):
        (fault,) = off_limits_faults(named, given)
        assert fault.code == "off_limits_missing"
        assert all(sha256 in fault.message for sha256 in (named, *given))


# --- what cannot be prepared


def faults(feed: FeedTerms, given: frozenset[str] = EVERYTHING, **changes: Any) -> list[tuple[str, str]]:
    """Pointers are written from the feed on."""
    found = preparation_faults(feed, replace(default_definition(feed), **changes), given)
    return [(fault.pointer.removeprefix(f"/feeds/{feed.name}"), fault.code) for fault in found]


def without(*names: str) -> frozenset[str]:
    """All but these tables with their columns, and these columns."""
    return frozenset(name for name in EVERYTHING if name not in names and name.partition(".")[0] not in names)


def test_a_brands_feed_is_not_prepared_from_claims() -> None:
    assert faults(demo_feed("support")) == [("", "not_of_claims")]


@pytest.mark.parametrize(
    ("measures", "changes", "lacking", "expected"),
    [
        ("memberz", {}, (), ("/measures/memberz", "measure_unknown")),
        ("members", {"measures": {"members": "people"}}, (), ("/measures/members", "measure_unknown")),
        ("members", {"measures": {"persons": "members"}}, (), ("/measures/persons", "measure_unknown")),
        ("hospital_days", {}, (), ("/measures/hospital_days", "unit_differs")),
        ("hospitalised_members", {}, ("stays",), ("/measures/hospitalised_members", "claims_lack")),
        ("ed_members", {}, ("visits",), ("/measures/ed_members", "claims_lack")),
        ("allowed_cents", {}, ("visits",), ("/measures/allowed_cents", "claims_lack")),
        ("allowed_cents", {}, ("fills.allowed_cents",), ("/measures/allowed_cents", "claims_lack")),
        ("switches", {}, (), ("/measures/switches", "drugs_missing")),
        ("members", {}, ("members.birth_day",), ("/least_age", "birth_dates_missing")),
        ("members", {"stay_days": StayDays.REMOVED}, ("stays",), ("/stay_days", "claims_lack")),
        ("ed_visits", LEFT_OUT, ("stays",), ("/emergency_admissions", "claims_lack")),
    ],
)  # fmt: skip
def test_what_a_measure_lacks_is_said(
    measures: str, changes: dict[str, Any], lacking: tuple[str, ...], expected: tuple[str, str]
) -> None:
    feed = feed_with(measures=measures, sex=("F", "M"))

    assert faults(feed, without(*lacking), **changes) == [expected]


@pytest.mark.parametrize(
    ("measures", "changes", "lacking"),
    [
        ("members stays", {"measures": {"stays": "hospital_stays"}}, ()),
        ("switches", {"products": DRUGS}, ()),
        ("members", {"least_age": None}, ("members.birth_day",)),
        ("ed_visits", {}, ("stays",)),
        ("members", LEFT_OUT, ("stays",)),
        ("members drug_allowed_cents", {"measures": {"drug_allowed_cents": "members"}}, ("fills.allowed_cents",)),
    ],
)
def test_what_is_not_needed_may_be_lacking(measures: str, changes: dict[str, Any], lacking: tuple[str, ...]) -> None:
    assert faults(feed_with(measures=measures, sex=("F", "M")), without(*lacking), **changes) == []


def test_a_scaled_unit_must_be_the_catalogues_and_any_other_word_is_only_warned_of() -> None:
    dollars = replace(demo_feed("adherence"), measures={"drug_allowed_cents": MeasureTerms("dollars", 10)})
    admissions = replace(demo_feed("adherence"), measures={"hospital_stays": MeasureTerms("admissions", 10)})

    assert faults(dollars) == [("/measures/drug_allowed_cents", "unit_differs")]
    assert faults(admissions) == []
    warned = preparation_warnings(admissions, default_definition(admissions), EVERYTHING)
    assert codes(warned) == [("/feeds/adherence/measures/hospital_stays", "unit_other")]


@pytest.mark.parametrize(
    ("dimension", "vocabulary", "changes", "lacking", "code"),
    [
        ("plan", ("a",), {}, (), "dimension_unknown"),
        ("sex", ("F",), {"dimensions": {"sex": FromClaims("gender")}}, (), "dimension_unknown"),
        ("sex", ("F",), {"dimensions": {"sex": FromClaims("sex", {"1": "M"})}}, (), "value_unknown"),
        ("sex", ("F",), {"dimensions": {"sex": FromClaims("sex", {}, "other")}}, (), "value_unknown"),
        ("sex", ("F", "M"), {}, ("members.sex",), "claims_lack"),
        ("region", ("south",), {}, ("members.region", "enrolment"), "claims_lack"),
        ("age_band", ("young", "old"), {}, (), "vocabulary_unreadable"),
        ("age_band", ("18-44", "46+"), {}, (), "vocabulary_unreadable"),
        ("age_band", ("18-44", "44+"), {}, (), "vocabulary_unreadable"),
        ("adherence_band", ("low", "high"), {}, (), "vocabulary_unreadable"),
        ("months_since_start", ("0", "2"), {"persons": Persons.EXITING}, (), "vocabulary_unreadable"),
        ("months_since_start", ("0", "1+"), {"persons": Persons.TREATED}, (), "persons_without_exit"),
        ("reason", ("stopped",), {"persons": Persons.ENROLLED}, (), "persons_without_exit"),
        ("product", ("helixor",), {}, (), "drugs_missing"),
    ],
)
def test_what_a_dimension_lacks_is_said(
    dimension: str, vocabulary: tuple[str, ...], changes: dict[str, Any], lacking: tuple[str, ...], code: str
) -> None:
    feed = feed_with(measures="members", **{dimension: vocabulary})

    assert faults(feed, without(*lacking), **changes) == [(f"/dimensions/{dimension}", code)]


@pytest.mark.parametrize(
    ("dimension", "vocabulary", "changes", "lacking"),
    [
        ("age_band", ("under_18", "18-64", "65+"), {}, ()),
        ("age_band", ("young", "old"), {"dimensions": {"age_band": YOUNG_AND_OLD}}, ()),
        ("adherence_band", ("nonadherent", "adherent"), {}, ()),
        ("months_since_start", ("0", "1", "2+"), {}, ()),
        ("region", ("south",), {}, ("members.region",)),
        ("sex", ("F", "X"), {"dimensions": {"sex": FromClaims("sex", {}, "X")}}, ("members.sex",)),
        ("product", ("any",), {}, ()),
        ("product", ("all",), {"dimensions": {"product": FromClaims("product", {"any": "all"})}}, ()),
        ("product", ("helixor", "comparator"), {"products": DRUGS}, ()),
    ],
)  # fmt: skip
def test_what_can_be_read_is_prepared(
    dimension: str, vocabulary: tuple[str, ...], changes: dict[str, Any], lacking: tuple[str, ...]
) -> None:
    assert faults(feed_with(measures="members", **{dimension: vocabulary}), without(*lacking), **changes) == []


@pytest.mark.parametrize("kind", list(LifeTable))
def test_a_life_table_counts_its_own_persons(kind: LifeTable) -> None:
    feed = replace(feed_with(measures="members", sex=("F", "M")), life_table=kind)

    assert faults(feed) == []
    assert faults(feed, persons=Persons.TREATED) == [("/persons", "persons_not_of_life_table")]


def test_names_that_the_feed_does_not_have_are_not_passed_over() -> None:
    dimensions = {"sexx": FromClaims("sex")}

    assert faults(demo_feed("adherence"), dimensions=dimensions) == [("/dimensions/sexx", "dimension_unknown")]


# --- what is only warned of


@pytest.mark.parametrize(
    ("measure", "unit", "bound", "code"),
    [
        ("treatment_days", "days", 400, "bound_never_reached"),
        ("treatment_days", "days", 366, None),
        ("treatment_days", "days", 365, "bound_cuts"),
        ("hospital_days", "days", 30, None),
        ("members", "persons", 2, "bound_never_reached"),
        ("pdc_basis_points", "basis_points", 100, "bound_cuts"),
        ("hospital_stays", "stays", 10, None),
    ],
)
def test_a_bound_that_does_not_fit_is_warned_of(measure: str, unit: str, bound: int, code: str | None) -> None:
    feed = replace(demo_feed("adherence"), measures={measure: MeasureTerms(unit, bound)})

    found = preparation_warnings(feed, default_definition(feed), EVERYTHING)

    assert [fault.code for fault in found] == ([code] if code else [])


@pytest.mark.parametrize(
    ("dimension", "vocabulary", "changes", "expected"),
    [
        ("adherence_band", ("nonadherent", "adherent"), {"persons": Persons.ENROLLED}, ["value_lacking"]),
        ("product", ("helixor",), {"products": DRUGS}, ["value_lacking"]),
        ("product", ("helixor", "comparator", "third"), {"products": DRUGS}, ["value_unused"]),
        ("reason", ("stopped", "switched", "left_plan"), {}, []),
        ("reason", ("stopped", "died"), {}, ["value_lacking", "value_unused"]),
        ("reason", ("stopped", "else"), {"dimensions": {"reason": FromClaims("reason", {}, "else")}}, []),
        ("sex", ("F", "M"), {"exclusions": DRUGS}, []),
    ],
)
def test_values_that_nobody_or_no_cell_has_are_warned_of(
    dimension: str, vocabulary: tuple[str, ...], changes: dict[str, Any], expected: list[str]
) -> None:
    feed = feed_with(measures="members", **{dimension: vocabulary})

    found = preparation_warnings(feed, replace(default_definition(feed), **changes), EVERYTHING)

    assert [fault.code for fault in found] == expected


def test_claims_without_enrolment_or_diagnoses_are_warned_of() -> None:
    feed = feed_with(measures="members", sex=("F", "M"))
    definition = replace(default_definition(feed), exclusions=DRUGS)

    found = preparation_warnings(feed, definition, without("enrolment", "stays", "visits"))

    assert [fault.code for fault in found] == ["enrolment_unknown", "exclusions_unseen"]
