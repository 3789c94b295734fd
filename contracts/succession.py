"""What the document of the next version begins as."""

from contracts.parties import JsonObject


def next_version(document: JsonObject, digest: str) -> JsonObject:
    """The same terms without their plans: those are made anew when it is proposed, the same ones for the same feeds."""
    return {**without_plans(document), "version": document["version"] + 1, "previous_digest": digest}


def without_plans(document: JsonObject) -> JsonObject:
    """What was drafted of a proposed document: a plan follows from the rest."""
    feeds = [{term: value for term, value in feed.items() if term != "plan"} for feed in document["feeds"]]
    return {**document, "feeds": feeds}
