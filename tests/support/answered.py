"""What answers made by hand have in common with those of the exchange."""

from typing import Any


def asked(**said: Any) -> dict[str, Any]:
    """The question of an answer: about everything, but for what is said."""
    nothing = {"by": [], "where": {}, "periods": None, "feeds": ["fills"], "measures": []}
    return nothing | {"compare": None, "of": None, "standard": None} | said
