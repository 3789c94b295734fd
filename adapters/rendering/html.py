"""Pages as HTML: one file with its style in it, no script, nothing loaded, made to be read aloud and printed too."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from contracts.rendering.pages import LANGUAGE, Page, printable


def content_security_policy() -> str:
    """Allows the page its own style, and nothing else whatever stands in it."""
    return f"default-src 'none'; style-src '{_style_hash()}'; base-uri 'none'; form-action 'none'"


def write_html(page: Page) -> str:
    return _template().render(page=page, language=LANGUAGE, style=_style(), policy=content_security_policy()) + "\n"


@cache
def _style() -> str:
    return files(__package__).joinpath("page.css").read_text(encoding="utf-8")


@cache
def _style_hash() -> str:
    return f"sha256-{b64encode(sha256(_style().encode()).digest()).decode()}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(str(__package__), ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    return environment.get_template("page.html")


def _printable(value: Any) -> Any:
    """Texts of other parties, and our own markup and style as they are."""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else printable(value)


__all__: Final = ["content_security_policy", "write_html"]
