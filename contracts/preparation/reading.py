"""A definitions document, read strictly, and its digest.

The digest is over the canonical form (RFC 8785) with each code list in it by its own SHA-256: two payers that keep the
same lists in other folders prepare by the same definitions.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final, Protocol

from contracts.canonical import digest_of
from contracts.parties import Role
from contracts.preparation.defaults import default_definition
from contracts.preparation.definitions import CodeList, Definitions, FeedDefinition
from contracts.preparation.feed_keys import Lists, read_feed_keys
from contracts.preparation.places import Place, nearest
from contracts.refusals import Fault, first_faults
from contracts.terms import FeedTerms

FILE_KEYS: Final = ("drugs", "code_lists", "feeds")
LIST_KEYS: Final = ("codes", "code_list")
# Stands for a list with faults, so that whoever names it is not told that there is none.
_FAULTY: Final = CodeList(frozenset(), "")


class DefinitionsInvalid(ValueError):
    """A definitions file with faults. readable: what could be read of it beside them."""

    def __init__(self, faults: Iterable[Fault], readable: "DefinitionsFile | None" = None) -> None:
        self.faults = first_faults(faults)
        self.readable = readable
        super().__init__("The definitions do not make sense as they stand.")


class CodeListRefused(ValueError):
    """The text says why, without quoting the list."""


class CodeLists(Protocol):
    """Where code lists come from. Both raise CodeListRefused."""

    def of_file(self, path: str) -> CodeList: ...

    def of_codes(self, codes: Sequence[str]) -> CodeList: ...


@dataclass(frozen=True, slots=True)
class DefinitionsFile:
    """What a file states. feeds: by name, the stated fields of its FeedDefinition."""

    products: Mapping[str, CodeList] | None
    feeds: Mapping[str, Mapping[str, Any]]
    sha256: str

    def definition_of(self, feed: FeedTerms) -> FeedDefinition:
        """What it states, and the defaults for the rest."""
        stated = self.feeds.get(feed.name, {})
        default = default_definition(feed, stated.get("measures"), stated.get("dimensions"))
        return replace(default, **({"products": self.products} | dict(stated)))


def read_definitions(document: object, lists: CodeLists) -> DefinitionsFile:
    """Raises DefinitionsInvalid."""
    whole = Place(document, "", [])
    fields = whole.fields(FILE_KEYS)
    products = _code_lists(fields["drugs"], lists) if "drugs" in fields else None
    exclusions = _code_lists(fields["code_lists"], lists) if "code_lists" in fields else {}
    if products is not None:
        _require_one_product_a_code(fields["drugs"], products)
    named = Lists(products, exclusions)
    feeds = {}
    if "feeds" in fields:
        feeds = {name: read_feed_keys(place, named) for name, place in fields["feeds"].entries().items()}
    if whole.faults:
        raise DefinitionsInvalid(whole.faults, DefinitionsFile(products, feeds, ""))
    return DefinitionsFile(products, feeds, digest_of(_canonical(fields, products, exclusions)))


def definitions_for(feeds: Collection[FeedTerms], file: DefinitionsFile | None) -> Definitions:
    """Of every feed that a payer posts; by default where there is no file. Raises DefinitionsInvalid for a file about a
    feed that the contract does not have."""
    known = {feed.name: feed for feed in feeds if feed.provider is Role.PAYER}
    if file is None:
        return Definitions({name: default_definition(feed) for name, feed in known.items()}, None)
    if unknown := feed_faults(feeds, file):
        raise DefinitionsInvalid(unknown)
    return Definitions({name: file.definition_of(feed) for name, feed in known.items()}, file.sha256)


def feed_faults(feeds: Collection[FeedTerms], file: DefinitionsFile) -> list[Fault]:
    """Feeds of the file that payers do not post."""
    known = [feed.name for feed in feeds if feed.provider is Role.PAYER]
    at = Place(None, "/feeds", [])
    for name in sorted(file.feeds.keys() - set(known)):
        at.below(name, None).fault("feed_unknown", f"payers post no feed of this name; {nearest(name, known)}")
    return at.faults


def _code_lists(place: Place, lists: CodeLists) -> dict[str, CodeList]:
    entries = place.entries()
    if isinstance(place.value, Mapping) and not entries:
        place.fault("value_invalid", "write at least one, or leave it out")
    return {name: _code_list(entry, lists) or _FAULTY for name, entry in entries.items()}


def _code_list(place: Place, lists: CodeLists) -> CodeList | None:
    fields = place.fields(LIST_KEYS)
    if not isinstance(place.value, Mapping):
        return None
    if len(fields) != 1:
        place.fault("key_missing", "write either `codes`, a list of them, or `code_list`, the path of a file")
        return None
    ((name, entry),) = fields.items()
    try:
        found = _inline(entry, lists) if name == "codes" else _of_file(entry, lists)
    except CodeListRefused as refused:
        entry.fault("code_list_refused", str(refused))
        return None
    if found is not None and not found.codes:
        entry.fault("code_list_empty", "there is no code in it")
        return None
    return found


def _inline(place: Place, lists: CodeLists) -> CodeList | None:
    items = place.items()
    codes = [code for item in items if (code := item.text()) is not None]
    return lists.of_codes(codes) if len(codes) == len(items) else None


def _of_file(place: Place, lists: CodeLists) -> CodeList | None:
    path = place.text()
    return lists.of_file(path) if path else None


def _require_one_product_a_code(place: Place, products: Mapping[str, CodeList]) -> None:
    """A fill is of one product."""
    for (one, codes), (other, more) in combinations(products.items(), 2):
        if shared := len(codes.codes & more.codes):
            message = f"{shared} of its codes are {one}'s too: a drug is of one product"
            place.below(other, None).fault("code_of_two_products", message)


def _canonical(
    fields: Mapping[str, Place], products: Mapping[str, CodeList] | None, exclusions: Mapping[str, CodeList]
) -> dict[str, Any]:
    by_digest = {"drugs": products or {}, "code_lists": exclusions}
    return {
        name: {each: {"sha256": codes.sha256} for each, codes in by_digest[name].items()}
        if name in by_digest
        else place.value
        for name, place in fields.items()
    }
