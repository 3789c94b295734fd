"""Writing pages of words: as Markdown, or as one self-contained HTML file."""

from collections.abc import Callable
from typing import Final

from adapters.rendering.html import write_html
from adapters.rendering.markdown import write_markdown
from contracts.rendering.pages import Page

WRITERS: Final[dict[str, Callable[[Page], str]]] = {"markdown": write_markdown, "html": write_html}
