"""Contracts as pages for people: read from files or from what an exchange answered, and written on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from adapters.rendering import WRITERS
from api.cli.files import PUBLIC_MODE, read_document, write_new
from api.cli.operating import checked
from api.cli.output import Failure, tell
from api.schemas.contracts import ContractDocumentSchema
from contracts.canonical import digest_of
from contracts.parties import JsonObject
from contracts.rendering.contract import contract_page
from contracts.rendering.standing import Standing, read_standing
from contracts.succession import without_plans

FORMATS: Final = tuple(WRITERS)

Found = tuple[JsonObject, Standing | None]


def read_contract(path: Path) -> Found:
    """A document, or what `parley contract show --json` printed, with where it stood then. Raises Failure."""
    found = read_document(path)
    if "document" in found:
        with making_sense(str(path)):
            return answered_contract(found)
    if _is_planned(found):
        return found, None  # frozen: nothing is added to what was signed
    return checked(ContractDocumentSchema(), **found), None


def read_drafted(path: Path) -> JsonObject:
    """A document as it was drafted, without its plans, from whatever `read_contract` reads. Raises Failure."""
    found = read_document(path)
    with making_sense(str(path)):
        document = answered_contract(found)[0] if "document" in found else found
    return checked(ContractDocumentSchema(), **(without_plans(document) if _is_planned(document) else document))


def answered_contract(answer: JsonObject) -> Found:
    """What an exchange answered, if its digest is that of its document. Raises Failure."""
    document = answer["document"]
    if answer["digest"] is not None and answer["digest"] != digest_of(document):
        raise Failure("The digest is not that of the document: something of it was changed.")
    return document, read_standing(answer)


def write_page(found: Found, form: str, out: Path | None = None) -> None:
    """To a new file, or to standard output. Raises Failure."""
    document, standing = found
    with making_sense("The contract"):
        text = WRITERS[form](contract_page(document, standing))
    if out is None:
        click.echo(text, nl=False)
    else:
        write_new(out, text, PUBLIC_MODE)
        tell(f"Written: {out}")


@contextmanager
def making_sense(what: str) -> Iterator[None]:
    """A document whose form is right may still make no sense, and one that an exchange froze is taken as it is."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(
            f"{what} cannot be read as a contract; parley contract preview says what is wrong with a draft."
        ) from None


def _is_planned(document: JsonObject) -> bool:
    feeds = document.get("feeds")
    return isinstance(feeds, list) and any(isinstance(feed, dict) and "plan" in feed for feed in feeds)
