"""JSON without its loose ends: no duplicate names (RFC 8259 leaves them open), no NaN, and no floats made of
integers. Texts of the errors never quote the document."""

import json
import re
from typing import Any


class JsonRefused(ValueError):
    """The text is not JSON, or JSON that two readers could understand differently."""


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Fractional:
    """Stands for a number with a fraction or an exponent: never a whole number, whatever its value."""


FRACTIONAL = Fractional()


def load_strict(text: bytes, *, fractions: bool = False) -> Any:
    """Decode UTF-8 JSON. Raises JsonRefused for duplicates, NaN, infinities, deep nesting and malformed text.

    Numbers with a fraction or exponent become FRACTIONAL: nothing the exchange takes is written so. fractions: read
    them as numbers, for what it answers.
    """
    try:
        if _SURROGATE.search(text):
            _refuse_lone_surrogates(text)
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=float if fractions else lambda _: FRACTIONAL,
            parse_constant=_refuse_constant,
        )
    except JsonRefused:
        raise
    except (ValueError, RecursionError):
        raise JsonRefused("The body is not well-formed JSON in UTF-8.") from None


def _refuse_lone_surrogates(text: bytes) -> None:
    """Half of a surrogate pair is no character: it has no UTF-8 form, and so no canonical one (RFC 8785)."""
    json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise JsonRefused("An object of the body has the same name twice.")
    return found


def _refuse_constant(_: str) -> None:
    raise JsonRefused("NaN and infinities are not JSON numbers.")
