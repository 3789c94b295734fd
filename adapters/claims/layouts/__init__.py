"""How real files map onto the canonical model: one module a layout."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.claims.layouts.canonical import CANONICAL
from adapters.claims.layouts.desynpuf import DESYNPUF
from adapters.claims.layouts.layout import Layout
from adapters.claims.layouts.synthea import SYNTHEA

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {layout.name: layout for layout in (CANONICAL, DESYNPUF, SYNTHEA)}
)


class LayoutNotFound(Exception):
    """There is no layout of this name. The text names those there are."""


def get_layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise LayoutNotFound(f"there is no layout {name}; there are {', '.join(LAYOUTS)}, and custom by a mapping")
    return LAYOUTS[name]
