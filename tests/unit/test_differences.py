"""Differences between two contracts: nothing that differs is left out, and what it means is said in words."""

import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from api.cli import main
from api.schemas.contracts import ContractDocumentSchema
from api.schemas.differences import differences_json
from contracts.agreeing import with_plans
from contracts.differences.comparing import Difference, Differences, compare
from contracts.differences.meaning import Group
from contracts.differences.trees import Kind, changes
from contracts.parties import JsonObject
from contracts.terms import read_terms
from tests.support.small_exchange import small_contract

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b", "~/", "name"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "role", "feeds", "by", "a/b", "c~d"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@cache
def _agreed() -> JsonObject:
    return with_plans(ContractDocumentSchema().load(small_contract()))


def agreed() -> JsonObject:
    return deepcopy(_agreed())


def amended(change: Callable[[JsonObject], object]) -> JsonObject:
    """The next version, with plans of its own."""
    document = ContractDocumentSchema().load(small_contract())
    change(document)
    return with_plans(document)


def found(change: Callable[[JsonObject], object]) -> Differences:
    return compare(agreed(), amended(change))


def told(change: Callable[[JsonObject], object]) -> list[Difference]:
    """Without the plans, which follow."""
    return [each for each in found(change).differences if each.group is not Group.COMPUTED]


# --- nothing is left out, whatever the documents are


@given(JSON, JSON)
def test_there_are_differences_exactly_where_documents_differ(old: Any, new: Any) -> None:
    same = json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)

    assert (list(changes(old, new)) == []) is same
    assert list(changes(old, old)) == []


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), ([1], [True]), ([], {}), (None, False), ("1", 1)])
def test_values_of_another_kind_differ_though_python_calls_some_of_them_equal(old: Any, new: Any) -> None:
    assert list(changes({"a": old}, {"a": new})) != []


@given(JSON, JSON)
def test_pointers_lead_to_the_values_that_are_told(old: Any, new: Any) -> None:
    for change in changes(old, new):
        if change.kind in (Kind.REORDERED, Kind.VALUES):
            assert all(isinstance(at(*each), list) for each in ((old, change.old_pointer), (new, change.new_pointer)))
            continue
        assert (change.old_pointer is None) == (change.kind is Kind.ADDED)
        assert (change.new_pointer is None) == (change.kind is Kind.REMOVED)
        if change.old_pointer is not None:
            assert at(old, change.old_pointer) == change.old
        if change.new_pointer is not None:
            assert at(new, change.new_pointer) == change.new


def at(document: Any, pointer: str) -> Any:
    """RFC 6901, written anew."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


def leaves(value: Any, pointer: str = "") -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], f"{pointer}/{key}")
    else:
        yield pointer


IDENTIFYING = ("/name", "/organisation", "/role")


def test_every_single_value_that_is_changed_is_told_where_it_stands_and_nothing_else() -> None:
    old = agreed()
    for feed in old["feeds"]:
        del feed["plan"]
    for pointer in leaves(old):
        if pointer.endswith(IDENTIFYING) or pointer.rsplit("/", 1)[1].isdigit():
            continue  # what tells elements apart: the element itself is another one then
        new = deepcopy(old)
        above, _, name = pointer.rpartition("/")
        at(new, above)[name] = "another value"

        (change,) = changes(old, new)

        assert (change.kind, change.old_pointer, change.new_pointer) == (Kind.CHANGED, pointer, pointer)


def test_lists_are_matched_by_what_their_elements_are() -> None:
    def shuffle(document: JsonObject) -> None:
        for name in ("feeds", "parties", "grants"):
            random.Random(7).shuffle(document[name])
            document[name].reverse()
        next(feed for feed in document["feeds"] if feed["name"] == "support")["run_out_days"] = 31

    differences = told(shuffle)

    assert {each.kind for each in differences} == {Kind.REORDERED, Kind.CHANGED}
    (changed,) = [each for each in differences if each.kind is Kind.CHANGED]
    assert changed.old_pointer == "/feeds/2/run_out_days"
    assert changed.words == "feed support, run out days: 31 instead of 30"


def test_fields_of_a_later_version_are_told_too() -> None:
    new = agreed()
    new["feeds"][0]["later"] = {"inner": [{"x": 1}]}
    new["grants"][0]["later"] = ["one"]
    new["later"] = "yes"

    pointers = {each.new_pointer for each in compare(agreed(), new).differences}

    assert pointers == {"/feeds/0/later", "/grants/0/later", "/later"}


def test_a_list_of_plain_values_is_one_difference_with_what_it_lost_and_gained() -> None:
    (values, order) = changes({"a": [1, "x", True, None, "y"]}, {"a": ["y", "x", 1, "z"]})

    assert (values.kind, values.old_pointer, values.new_pointer) == (Kind.VALUES, "/a", "/a")
    assert (values.old, values.new, values.omitted) == ([True, None], ["z"], (0, 0))
    assert order.kind is Kind.REORDERED


def test_of_a_long_list_the_first_values_are_told_and_how_many_more_there_are() -> None:
    (difference,) = told(lambda document: document["vocabularies"].update(far=[f"v{i}" for i in range(1000)]))
    assert difference.words.endswith("v49 and 950 more)")

    old, new = agreed(), agreed()
    for document, letter in ((old, "a"), (new, "b")):
        document["vocabularies"]["far"] = [f"{letter}{i}" for i in range(1000)]
    (difference,) = compare(old, new).differences

    assert (difference.old, difference.new) == ([f"a{i}" for i in range(50)], [f"b{i}" for i in range(50)])
    assert (difference.old_omitted, difference.new_omitted) == (950, 950)
    assert difference.words.startswith("vocabularies, far loses a0, a1, ")
    assert difference.words.endswith(", b49 and 950 more")

    new["vocabularies"]["far"] = old["vocabularies"]["far"][::-1]
    (difference,) = compare(old, new).differences
    assert (difference.kind, len(difference.new), difference.new_omitted) == (Kind.REORDERED, 50, 950)


def test_beyond_so_many_differences_are_counted_what_bears_on_privacy_is_told_first() -> None:
    new = agreed()
    new |= {"title": "Another", "notes": {f"n{i}": i for i in range(3000)}, "aside": {"a": 1, "b": [{}]}}
    new["feeds"][0]["run_out_days"] = 1
    new["privacy"]["delta"] = "0.00001"

    found = compare(agreed() | {"notes": {}}, new)

    assert len(found.differences) == 2000
    assert [each.new_pointer for each in found.differences[:2]] == ["/feeds/0/run_out_days", "/privacy/delta"]
    assert [(each.group, each.pointer, each.count) for each in found.omitted] == [
        (Group.OTHER, "/notes", 3 + 3000 - 2000),
        (Group.OTHER, "/aside", 1),
    ]
    answered = differences_json(found, agreed(), new)
    assert answered["truncated"] is True
    assert answered["omitted"][0] == {"group": "other", "pointer": "/notes", "count": 1003}
    assert differences_json(compare(new, new), new, new)["truncated"] is False


# --- in words, and in order


def test_nothing_differs_between_a_contract_and_itself() -> None:
    same = compare(agreed(), agreed())

    assert same.differences == ()
    assert same.consequences == (
        "Unchanged in all that their loss rests on, with their releases and account: fills, adherence, support.",
    )


def test_a_ceiling_is_told_as_rho_and_as_epsilon() -> None:
    (ceiling, approval) = told(
        lambda document: document["privacy"].update(
            ceilings=document["privacy"]["ceilings"] | {"sierra-members": "0.2"},
            approvals={"sierra-members": {"name": "Ann", "reason": "agreed"}},
        )
    )

    assert ceiling.words == (
        "the ceiling of sierra-members rises from rho 0.1 (epsilon 2.15 at delta 0.000001) to rho 0.2 "
        "(epsilon 3.14 at delta 0.000001)"
    )
    assert (ceiling.old, ceiling.new, ceiling.new_pointer) == ("0.1", "0.2", "/privacy/ceilings/sierra-members")
    assert approval.words == "privacy, approvals, sierra-members is added (name Ann; reason agreed)"


def test_a_lower_budget_of_a_feed_makes_a_new_generation() -> None:
    differences = found(lambda document: document["feeds"][0].update(rho="0.04"))

    assert "the ceiling of the feed fills falls from rho 0.05 (epsilon 1.48" in differences.differences[0].words
    assert differences.consequences[0] == (
        "The feed fills is a new generation, since its measurement plan changed: it starts without releases, and its "
        "loss adds to what the old one has cost."
    )
    assert differences.differences[-1].group is Group.COMPUTED
    assert differences.differences[-1].new_pointer == "/feeds/0/plan"
    assert set(differences.differences[-1].new) == {"draws", "charge_nano", "sha256"}


def test_a_grant_that_gains_and_loses_a_statistic_says_so() -> None:
    def change(document: JsonObject) -> None:
        document["grants"][0]["statistics"].remove("counts")
        document["grants"][0]["statistics"].append("trend")

    assert [each.words for each in told(change)] == [
        "grant of brand loses counts and gains trend in statistics",
    ]


def test_a_party_and_a_feed_that_come_or_go_are_told_whole() -> None:
    def change(document: JsonObject) -> None:
        del document["parties"][0], document["feeds"][2]
        document["parties"].append({"organisation": "newcomer", "role": "payer", "population": "newcomer-all"})

    differences = found(change)
    said = [each.words for each in differences.differences]

    assert "party newcomer is added (organisation newcomer; role payer; population newcomer-all)" in said
    assert any(words.startswith("party blueridge is removed (") for words in said)
    assert any(words.startswith("feed support is removed (") for words in said)
    assert "The feed support ends; what its releases have cost stays in the ledger." in differences.consequences


def test_what_bears_on_privacy_comes_first_and_what_is_computed_last() -> None:
    def change(document: JsonObject) -> None:
        document |= {"title": "Another", "version": 2, "previous_digest": "ab" * 32, "purpose": "research"}
        document["rules"]["min_payers"] = 2
        document["feeds"][1]["k"] = 1

    groups = [each.group for each in found(change).differences]

    assert groups == sorted(groups, key=list(Group).index)
    assert set(groups) == set(Group)


@pytest.mark.parametrize(
    ("feed", "causes"),
    [
        ({"k": 6}, "k"),
        ({"dimensions": ["region"]}, "its dimensions or their values"),
        ({"k": 6, "dimensions": ["region"]}, "k and its dimensions or their values"),
        ({"restatements": 1}, "its measurement plan"),
    ],
)
def test_a_new_generation_says_what_makes_it_one(feed: JsonObject, causes: str) -> None:
    said = found(lambda document: document["feeds"][0].update(feed)).consequences

    assert any(f"The feed fills is a new generation, since {causes} changed: " in each for each in said)


GENERATIONS = {
    "k": lambda d: d["feeds"][0].update(k=6),
    "bound": lambda d: d["feeds"][0]["measures"]["days_covered"].update(bound=30),
    "measure": lambda d: d["feeds"][0]["measures"].update(stays={"unit": "stays", "bound": 2}),
    "dimension": lambda d: d["feeds"][0].update(dimensions=["region"]),
    "order of dimensions": lambda d: d["feeds"][0].update(dimensions=["sex", "region"]),
    "values": lambda d: d["vocabularies"]["sex"].append("X"),
    "order of values": lambda d: d["vocabularies"]["sex"].reverse(),
    "provider": lambda d: d["feeds"][0].update(provider="brand"),
    "tables": lambda d: d["feeds"][0].update(tables=[{"by": ["sex"], "weight": 1}]),
    "weights alone": lambda d: d["feeds"][0].update(tables=[{"by": [], "weight": 1}, {"by": ["sex"], "weight": 1}]),
    "restatements": lambda d: d["feeds"][0].update(restatements=1),
    "expected": lambda d: d["feeds"][0].update(expected={"members": 50}),
    "unit": lambda d: d["feeds"][0]["measures"]["members"].update(unit="people"),
    "run-out": lambda d: d["feeds"][0].update(run_out_days=91),
    "periods": lambda d: d["feeds"][0].update(last_period="2026-06"),
    "another feed": lambda d: d["feeds"][1].update(k=1),
    "title": lambda d: d.update(title="Another"),
}


@pytest.mark.parametrize("change", GENERATIONS.values(), ids=GENERATIONS)
@pytest.mark.parametrize("planned", [True, False], ids=["proposed", "draft"])
def test_a_new_generation_is_told_exactly_where_there_is_one(change: Any, planned: bool) -> None:
    new = amended(change)
    is_new = read_terms(agreed()).feeds[0].generation != read_terms(new).feeds[0].generation
    if not planned:
        for feed in new["feeds"]:
            del feed["plan"]

    consequences = compare(agreed(), new).consequences

    assert any(said.startswith("The feed fills is a new generation") for said in consequences) is is_new


def shuffled(value: Any) -> Any:
    """The same document, its members in the opposite order of the canonical one."""
    if isinstance(value, dict):
        return {name: shuffled(value[name]) for name in sorted(value, reverse=True)}
    return [shuffled(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("planned", [True, False], ids=["proposed", "draft"])
def test_the_order_of_members_makes_no_difference_and_no_new_generation(planned: bool) -> None:
    document = shuffled(ContractDocumentSchema().load(small_contract()))
    new = with_plans(document) if planned else document

    compared = compare(agreed(), new)

    assert compared.differences == ()
    assert not any("new generation" in said for said in compared.consequences)
    assert with_plans(document) == agreed()


def test_plans_that_only_one_side_has_are_no_differences() -> None:
    draft = ContractDocumentSchema().load(small_contract(title="Another"))

    for old, new, which in ((agreed(), draft, "second"), (draft, agreed(), "first")):
        compared = compare(old, new)
        assert {each.new_pointer for each in compared.differences} <= {"/title"}
        assert sum(f"The {which} has no measurement plans yet" in said for said in compared.consequences) == 1
    assert not any("no measurement plans" in said for said in compare(draft, draft).consequences)


def test_a_grant_that_was_not_narrowed_was_about_any() -> None:
    (narrowed,) = told(lambda document: document["grants"][0].update(dimensions=["region"]))

    assert narrowed.words == "grant of brand, dimensions: region only, instead of any"


def test_the_digest_of_the_version_before_is_not_told() -> None:
    following = amended(lambda document: document.update(version=2, previous_digest="ab" * 32))

    assert [each.new_pointer for each in compare(agreed(), following).differences] == ["/version"]


# --- the command


def run(*words: object) -> Any:
    return CliRunner().invoke(main, ["contract", "diff", *map(str, words)])


def test_two_files_are_compared_on_this_machine(tmp_path: Path) -> None:
    older, newer = tmp_path / "older.json", tmp_path / "newer.yaml"
    older.write_text(json.dumps(agreed()))
    newer.write_text(json.dumps(small_contract(title="Another", rules={"min_payers": 2})))

    result = run(older, newer)

    assert result.exit_code == 0, result.output
    assert "  title: Another instead of A small contract  [/title]\n" in result.output
    assert "  rules, min payers: 2 instead of 3  [/rules/min_payers]\n" in result.output
    assert result.output.index("Who may ask what") < result.output.index("Other terms")
    answered = json.loads(run(older, newer, "--json").output)
    assert {each["new_pointer"] for each in answered["differences"]} >= {"/title", "/rules/min_payers"}
    assert run(older, older).output == "Nothing differs.\n"


def test_anything_but_two_files_or_two_versions_is_not_well_formed(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(agreed()))

    assert run(tmp_path / "one.json").exit_code == 2
    assert run("dsc-small", "--from", "1").exit_code == 2
    assert run(tmp_path / "one.json", tmp_path / "one.json", "--from", "1").exit_code == 2
