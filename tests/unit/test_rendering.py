"""A contract in words leaves nothing out, and whatever other parties write in it stays text."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache, reduce
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from adapters.rendering import WRITERS
from api.cli import main
from api.schemas.contracts import ContractDocumentSchema
from contracts.agreeing import with_plans
from contracts.canonical import digest_of
from contracts.parties import JsonObject
from contracts.rendering.contract import contract_page
from contracts.rendering.pages import Bullets, Facts, Page, Paragraph, Section, Table
from contracts.rendering.parts import part_of
from contracts.rendering.standing import Standing, read_standing
from privacy.mechanism import epsilon
from tests.support.small_exchange import BRAND, PAYERS, adherence_feed, fills_feed, small_contract, support_feed

MARKED = "a value of nobody's"
HOSTILE = (
    "<script>alert(1)</script>",
    "</td></tr></table><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "[click](javascript:alert(1))",
    "![picture](https://evil.example/x.png)",
    "| one | more | cell |",
    "\\| escaped \\\\| pipe",
    "`code` and ``more``",
    "``` fence",
    "# a heading",
    "1. a list",
    "- a list",
    "+ a list",
    "=== underlined",
    "> quoted",
    "*bold* _slanted_ ~~struck~~ **both**",
    "https://evil.example www.evil.example someone@evil.example <https://evil.example>",
    "[ref]: https://evil.example",
    "&lt;b&gt; &amp; &#60;i&#62;",
    "{{ 7 * 7 }} {% raw %} ${x} $x$",
    "<!-- comment --> <![CDATA[x]]>",
    "\\`slashes\\` \\[x\\](y)",
    "right-to-left \u202e override \u2066 isolate \u200b nothing",
)


@cache
def _whole() -> JsonObject:
    """A document with every field that the form knows, none of them empty where it can be full."""
    feeds = [
        fills_feed(expected={"members": 8_001}, tables=[{"by": ["region"], "weight": 7}, {"by": []}], restatements=2),
        adherence_feed(
            measured="source",
            invariants=["members <= 3 * members"],
            link="linked",
            linked={"dimension": "region", "organisation": BRAND},
            known_after_months=3,
        ),
        support_feed(),
    ]
    document = small_contract(feeds=feeds, prohibited=["underwriting", "re_identification"])
    document["privacy"] |= {
        "unit": "person_across_providers",
        "max_providers": 2,
        "ceilings": {f"{name}-members": f"0.2{i}" for i, name in enumerate((*PAYERS, BRAND))},
        "approvals": {f"{name}-members": {"name": f"Ann {name}", "reason": "agreed"} for name in (*PAYERS, BRAND)},
    }
    document["rules"] = {"min_payers": 2, "small_cells": {"mask_below": 13}, "payer_dimension": False}
    document["rules"]["off_limits"] = {"code_list_sha256": "ab" * 32}
    document["settlement"] = {
        "statistic": "adherence_rate",
        "target": "0.71",
        "period": "2025",
        "as_of": "final",
        "decide_at": "0.93",
        "undecided": "the base rebate applies",
        "feed": "adherence",
    }
    document["rollups"]["dimensions"] = {"coast": {"of": "region", "groups": {"east": ["north"], "far": ["south"]}}}
    document["rollout"] = {"dimension": "region", "starts": {"north": "2025-07"}}
    weights = [{"stratum": {"sex": "F"}, "weight": 4_711}, {"stratum": {"sex": "M"}, "weight": 4_712}]
    document["standards"] = [{"name": "even", "source": "a census", "by": ["sex"], "weights": weights}]
    document["obligations"] = {"incident_notice_hours": 71, "audit_rights": True}
    planned = with_plans(ContractDocumentSchema().load(document))
    for feed in planned["feeds"]:  # a few are as good as all
        feed["plan"]["draws"] = feed["plan"]["draws"][:2] + feed["plan"]["draws"][-1:]
    return planned


def whole() -> JsonObject:
    return deepcopy(_whole())


def standing(**changes: Any) -> Standing:
    signature = {
        "organisation": "sierra",
        "kid": "kid-7",
        "signer_name": "Ann Example",
        "signer_title": "Privacy Officer",
        "signed_at": "2026-07-02T10:11:12.345678+00:00",
    }
    told = {
        "status": "proposed",
        "drafted_by": BRAND,
        "drafted_at": "2026-07-01T12:00:00+00:00",
        "proposed_at": "2026-07-01T12:30:00+00:00",
        "waiting_for": [BRAND],
        "signatures": [signature],
    }
    return read_standing(told | changes)


def words_of(page: Page) -> Iterator[str]:
    yield from (page.title, page.lead)
    for section in page.sections:
        yield from section_words(section)


def section_words(section: Section) -> Iterator[str]:
    yield section.title
    for block in section.blocks:
        match block:
            case Paragraph(text):
                yield text
            case Bullets(items):
                yield from items
            case Facts(rows):
                yield from (cell for row in rows for cell in row)
            case Table(caption, headings, rows):
                yield from (caption, *headings, *(cell for row in rows for cell in row))
    for inner in section.sections:
        yield from section_words(inner)


def text_of(document: JsonObject) -> str:
    return "\n".join(words_of(contract_page(document, None)))


# --- nothing is left out


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value stands that holds no other."""
    if isinstance(value, dict | list) and value:
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))
    else:
        yield path


def candidates(value: Any) -> list[Any]:
    """Other values, of which at least one makes sense wherever `value` does."""
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, max(1, value - 1)]
        case []:
            return [["marked_value"]]
        case {}:
            return [{"marked": "marked_value"}]
        case None:
            return ["marked_value", ["marked_value"]]
        case _:
            others = ["marked_value", "2027-03-04", "2024", "2025-03", "0.123", "0.0001", "brand", "payer"]
            others += ["month", "quarter", "year", "source", "exchange", "region", "sex", "person_within_provider"]
            others += ["members <= 5 * members", "contacts <= 6 * enrolled", "treatment_days <= 30 * members"]
            return [other for other in [*others, "12.5"] if other != value]


# Values that cannot be just any, by the field: the value to put, and what the page then says.
OF_A_FORM: dict[str, tuple[Any, str]] = {
    "life_table": ("starts", "starts: who began"),
    "first_period": ("2023", "2023"),
    "tables": ([{"by": ["region"], "weight": 97}], "97"),
    "periods": ({"first": "2025-02", "last": "2025-Q3"}, "2025-02 to 2025-Q3"),
    "reciprocity": ({"within_days": 37}, "37 days after their posting day"),
}


# Named elsewhere in the document too, so that no other value makes sense in this place alone.
BOUND_TO_OTHERS = frozenset(
    {
        ("parties", 3, "organisation"),
        ("feeds", 1, "linked", "organisation"),
        ("feeds", 1, "plan", "draws", 0, "measure"),
        ("feeds", 1, "plan", "draws", 1, "measure"),
        ("standards", 0, "by", 0),
    }
)


def at(document: Any, path: tuple[Any, ...]) -> Any:
    return reduce(lambda inner, key: inner[key], path, document)


def put(document: JsonObject, path: tuple[Any, ...], value: Any) -> JsonObject:
    changed = deepcopy(document)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def changed_texts(document: JsonObject, path: tuple[Any, ...], value: Any) -> Iterator[tuple[str, str]]:
    """What the page should say now, and the page."""
    others = [(other, expected(other)) for other in candidates(value)]
    for other, said in [OF_A_FORM[path[-1]], *others] if path[-1] in OF_A_FORM else others:
        try:
            yield said, text_of(put(document, path, other))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # this one makes no sense here


def expected(value: Any) -> str:
    match value:
        case bool():
            return ""
        case int():
            return f"{value:,}"
        case str():
            return value
        case _:
            return "marked_value"


@pytest.mark.slow
def test_every_value_of_a_document_stands_in_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever is changed, the page changes, and says the new value where it is a text or a number."""
    monkeypatch.setattr("contracts.ledger.statements.epsilon", cache(epsilon))
    document = whole()
    before = text_of(document)
    unread = []
    for path in places(document):
        value = at(document, path)
        said, after = next(changed_texts(document, path, value), ("", before))
        if path[-1] == "grain":  # no other one goes with the periods
            assert f"a period is a\n{value}\n" in before
        elif path in BOUND_TO_OTHERS:
            assert value in before
        elif after == before or said not in after:
            unread.append(path)

    assert len(list(places(document))) > 200
    assert unread == []


def test_every_name_in_a_document_that_its_parties_chose_stands_in_its_page() -> None:
    text = text_of(whole())
    document = whole()

    chosen = [*document["vocabularies"], *document["privacy"]["ceilings"]]
    chosen += [name for feed in document["feeds"] for name in feed["measures"]]

    assert [name for name in chosen if name not in text] == []


@pytest.mark.parametrize("where", [(), ("privacy",), ("rules",), ("settlement",), ("obligations",), ("rollups",)])
@pytest.mark.parametrize("value", [MARKED, [MARKED], {"inner": {"deep": MARKED}}, [{"inner": MARKED}]])
def test_a_field_that_this_version_does_not_know_is_said_by_its_name(where: tuple[str, ...], value: Any) -> None:
    text = text_of(put(whole(), (*where, "of_a_later_version"), value))

    assert "of a later version" in text
    assert MARKED in text


@pytest.mark.parametrize(
    "where",
    [
        ("parties", 1),
        ("grants", 0),
        ("feeds", 1),
        ("feeds", 0, "measures", "members"),
        ("feeds", 0, "tables", 1),
        ("feeds", 0, "plan"),
        ("feeds", 0, "plan", "draws", 1),
        ("privacy", "approvals", "sierra-members"),
    ],
)
def test_so_is_one_within_lists(where: tuple[Any, ...]) -> None:
    assert MARKED in text_of(put(whole(), (*where, "of_a_later_version"), MARKED))


def test_every_field_that_the_form_knows_is_in_the_document_of_these_tests() -> None:
    """So that the tests above are about all of them."""
    document = whole()

    assert set(ContractDocumentSchema().fields) == set(document)
    for name in ("privacy", "rules", "settlement", "obligations", "rollups"):
        inner = ContractDocumentSchema().fields[name].schema.fields  # type: ignore[attr-defined]
        assert set(inner) == set(document[name])


def test_what_was_taken_once_is_not_said_again() -> None:
    part = part_of({"a": 1, "b": {"c": [2, 3], "d": None}, "e": []})

    assert part.take("a") == 1
    assert part.part("b").take("c") == [2, 3]
    assert part.rest() == [("b d", "not stated"), ("e", "none")]
    assert part.rest() == []


# --- what it says


def test_losses_are_said_as_rho_as_epsilon_and_as_what_an_attacker_learns() -> None:
    document = with_plans(ContractDocumentSchema().load(small_contract()))
    text = text_of(document)

    assert "rho 0.1 (epsilon 2.15 at delta 0.000001): right in at most 58.9% of guesses" in text
    assert "at most 92.1% sure except with probability 0.000001" in text
    assert "For one person in every population of this contract, rho 0.4 (epsilon 4.61 at delta 0.000001)" in text


def test_what_one_person_adds_is_said_per_cell_and_over_the_term() -> None:
    (feeds,) = [section for section in contract_page(whole(), None).sections if section.title == "Feeds"]
    measures = next(block for block in feeds.sections[0].blocks if isinstance(block, Table))

    assert measures.rows[0] == ("members", "persons", "1", "12", "8,001")
    assert measures.rows[1] == ("days_covered", "days", "31", "372", "")


def test_it_says_where_the_contract_stands_and_who_signed() -> None:
    document = whole()
    text = "\n".join(words_of(contract_page(document, standing())))

    for said in (digest_of(document), "not every party has signed", "2026-07-01 12:30:00 UTC", BRAND):
        assert said in text
    told = {
        "versions": [{"version": 1, "status": "suspended"}, {"version": 2, "status": "proposed"}],
        "events": [
            {
                "kind": "suspended",
                "organisation": None,
                "client": "a-client",
                "reason": "an incident",
                "recorded_at": "2026-08-01T00:00:00+00:00",
            }
        ],
        "suspended_populations": ["sierra-members"],
        "waiting_for": ["leaver"],
    }
    text += "\n".join(words_of(contract_page(document, standing(**told))))
    for said in (
        "suspended by the operator, 2026-08-01 00:00:00 UTC: an incident",
        "1 suspended, 2 proposed",
        "leaver",
    ):
        assert said in text
    for said in ("Ann Example", "Privacy Officer", "2026-07-02 10:11:12 UTC", "kid-7", "not yet"):
        assert said in text


# --- whatever is written stays text


class Elements(HTMLParser):
    """The elements, attributes and texts of a page, as a browser finds them; and whether tags match."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]


def hostile_page(text: str) -> Page:
    """The text wherever a text can stand."""
    table = Table(text, (text, "b"), ((text, text), ("x", text)), frozenset({1}))
    blocks = (Paragraph(text), Bullets((text, text)), Facts(((text, text),)), table)
    return Page(text, text, (Section(text, blocks, (Section(text, blocks),)),))


def as_shown(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_html_shows_hostile_texts_and_has_no_more_elements_than_with_plain_ones(hostile: str) -> None:
    plain = Elements(WRITERS["html"](hostile_page("plain")))

    shown = Elements(WRITERS["html"](hostile_page(hostile)))

    assert shown.tags == plain.tags
    assert shown.texts.count(as_shown(hostile)) == plain.texts.count("plain") > 10


@pytest.mark.parametrize("hostile", HOSTILE)
def test_markdown_shows_hostile_texts_and_has_no_more_markup_than_with_plain_ones(hostile: str) -> None:
    """As CommonMark with GitHub's tables, raw HTML allowed, reads it."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    plain = Elements(reader.render(WRITERS["markdown"](hostile_page("plain"))))

    shown = Elements(reader.render(WRITERS["markdown"](hostile_page(hostile))))

    assert shown.tags == plain.tags
    assert shown.texts.count(as_shown(hostile)) == plain.texts.count("plain") > 10


def test_markdown_makes_no_address_a_link_by_itself() -> None:
    """GitHub links what looks like one: the marks of an address are escaped or broken."""
    written = WRITERS["markdown"](hostile_page("https://evil.example www.evil.example someone@evil.example"))

    assert not re.search(r"https?://|www\.|[a-z]@", written)


def test_a_hostile_contract_stays_text_too() -> None:
    document = whole()
    document["title"] = HOSTILE[0]
    document["settlement"]["undecided"] = HOSTILE[3] + HOSTILE[1]
    document["privacy"]["approvals"]["sierra-members"]["reason"] = HOSTILE[5]
    document["vocabularies"]["region"][0] = HOSTILE[7]
    signed = standing(signatures=[], status=HOSTILE[0], waiting_for=[HOSTILE[0]])
    page = contract_page(document, signed)
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")

    html = Elements(WRITERS["html"](page))
    markdown = Elements(reader.render(WRITERS["markdown"](page)))

    for elements in (html, markdown):
        assert {"script", "img", "code"}.isdisjoint(elements.names())
        assert HOSTILE[0] in elements.texts
    assert "a" not in markdown.names()
    assert {attributes["href"] for tag, attributes in html.tags if tag == "a"} == {
        f"#section-{i + 1}" for i in range(len(page.sections))
    }


# --- a page for everybody


def test_the_html_is_one_accessible_page_that_loads_nothing() -> None:
    elements = Elements(WRITERS["html"](contract_page(whole(), standing())))

    names = elements.names()
    assert {"script", "link", "img", "iframe", "form"}.isdisjoint(names)
    assert not any("src" in attributes or "style" in attributes for _, attributes in elements.tags)
    assert elements.tags[0] == ("html", {"lang": "en"})
    assert names.count("h1") == names.count("title") == names.count("main") == 1
    headings = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in elements.tags if tag == "th")
    assert names.count("table") > 10
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    policies = [a["content"] for tag, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert "@media print" in "".join(elements.texts)


# --- the command


def run(*words: object) -> Any:
    return CliRunner().invoke(main, ["contract", "render", *map(str, words)])


def answered(document: JsonObject) -> JsonObject:
    return {
        "id": document["id"],
        "version": 1,
        "status": "in_force",
        "digest": digest_of(document),
        "waiting_for": [],
        "drafted_by": BRAND,
        "drafted_at": "2026-07-01T12:00:00+00:00",
        "proposed_at": "2026-07-01T12:30:00+00:00",
        "signatures": [],
        "document": document,
    }


def test_a_downloaded_contract_is_rendered_offline_with_where_it_stood(tmp_path: Path) -> None:
    path, out = tmp_path / "contract.json", tmp_path / "contract.html"
    path.write_text(json.dumps(answered(whole())))

    result = run(path, "--format", "html", "--out", out)

    assert result.exit_code == 0, result.output
    assert digest_of(whole()) in out.read_text()
    assert "in force" in out.read_text()
    assert run(path, "--format", "html", "--out", out).exit_code == 1  # never overwritten


def test_a_draft_is_rendered_from_yaml_and_a_bare_document_from_json(tmp_path: Path) -> None:
    draft, bare = tmp_path / "draft.yaml", tmp_path / "bare.json"
    draft.write_text(json.dumps(small_contract()))
    bare.write_text(json.dumps(whole()))

    assert "is made when the contract is proposed" in run(draft).output
    assert "The measurement plan: what is drawn" in run(bare).output


def test_a_contract_that_was_changed_after_the_download_is_not_rendered(tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(answered(whole()) | {"document": put(whole(), ("title",), "Other")}))

    result = run(path)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "digest is not that of the document" in result.stderr


@pytest.mark.parametrize("content", ["{}", "[]", '{"document": 3}', '{"document": {}}', '{"feeds": [{"plan": 1}]}'])
def test_what_is_no_contract_is_refused_in_one_sentence(content: str, tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    path.write_text(content)

    result = run(path)

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
