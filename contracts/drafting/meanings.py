"""Faults of an amendment that would have old numbers answer as something else."""

from collections.abc import Iterator, Sequence

from contracts.lifecycle import is_signed
from contracts.parties import JsonObject
from contracts.records import ContractRecord, History
from contracts.refusals import Fault


def signed_documents(before: Sequence[ContractRecord]) -> list[JsonObject]:
    """Of these versions, those under which something may have been posted."""
    history = History(tuple(before))
    return [record.document for record in before if is_signed(history, record)]


def meaning_faults(document: JsonObject, before: Sequence[ContractRecord]) -> Iterator[Fault]:
    """A feed goes on with its releases while all stays that its loss rests on (`FeedTerms.generation`): so what they
    count stays too. The plan is left out, since it may become the old one again."""
    signed = signed_documents(before)
    for i, feed in enumerate(document["feeds"]):
        for earlier in signed:
            for old in earlier["feeds"]:
                if _rests_on(old, earlier) == _rests_on(feed, document):
                    yield from _differing(f"/feeds/{i}", old, feed)


def _differing(at: str, old: JsonObject, new: JsonObject) -> Iterator[Fault]:
    for name, measure in new["measures"].items():
        unit = old["measures"][name]["unit"]
        if measure["unit"] != unit:
            message = f"{unit}, which its releases so far count; call the measure, or the feed, otherwise to begin anew"
            yield Fault(f"{at}/measures/{name}/unit", "unit_differs", message)
    if new.get("life_table") != old.get("life_table"):
        kept = old.get("life_table") or "null"
        message = f"{kept}, as its releases so far were made; call the feed otherwise to begin anew"
        yield Fault(f"{at}/life_table", "life_table_differs", message)
    if new.get("known_after_months") != old.get("known_after_months"):
        kept = old.get("known_after_months")
        message = f"{'null' if kept is None else kept}, as its releases so far were made; call the feed otherwise"
        yield Fault(f"{at}/known_after_months", "known_after_differs", message)


def _rests_on(feed: JsonObject, document: JsonObject) -> JsonObject:
    vocabularies = document["vocabularies"]
    return {term: feed[term] for term in ("name", "provider", "grain", "k")} | {
        "vocabularies": [(name, vocabularies.get(name)) for name in feed["dimensions"]],
        "bounds": {name: measure["bound"] for name, measure in feed["measures"].items()},
        "linked": feed.get("linked"),
    }
