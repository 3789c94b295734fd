"""docs/explain/contracts.md says of every status what can be done, and its picture shows each of them."""

import re
from xml.etree import ElementTree

from contracts.lifecycle import LEGAL, Status, Transition
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "docs" / "explain"
ROW = re.compile(r"^\| `(\w+)` \| .* \| (.*) \|$", re.MULTILINE)


def test_the_page_says_what_can_be_done_in_every_status() -> None:
    found = dict(ROW.findall((FOLDER / "contracts.md").read_text(encoding="utf-8")))

    assert {status: _transitions(words) for status, words in found.items()} == {
        status.value: set(legal) for status, legal in LEGAL.items()
    }


def _transitions(words: str) -> set[Transition]:
    if words == "nothing more":
        return set()
    return {Transition(word.removesuffix(" again")) for word in words.split(", ")}


def test_the_picture_shows_every_status_and_every_transition() -> None:
    picture = ElementTree.parse(FOLDER / "pictures" / "contract-life.svg")
    texts = " ".join("".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text"))

    words = set(re.findall(r"[a-z_]+", texts))
    assert words >= {status.value for status in Status}
    assert words >= {transition.value for transition in Transition}


def test_every_transition_is_legal_somewhere() -> None:
    assert set().union(*LEGAL.values()) == set(Transition)
