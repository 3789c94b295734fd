"""Commands that are imported when they are called, so that `parley --help` need not load the exchange.

So one whose part is not installed (`setup.cfg`, options.extras_require) fails when it is called, and says so.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click

_SERVER: Final = (
    "alembic", "authlib", "flask", "flask_smorest", "gunicorn", "httpcore", "jinja2", "limits", "marshmallow",
    "prometheus_client", "psycopg", "sqlalchemy", "structlog", "swagger_ui", "webargs", "werkzeug",
)  # fmt: skip
_PART_OF: Final = {**dict.fromkeys(_SERVER, "server"), "duckdb": "prepare"}


class LazyGroup(click.Group):
    """Each command of `summaries`, which are for the help, is the object of its name in module `<package>.<name>`.
    Other commands are added as to any group."""

    def __init__(self, *, package: str, summaries: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self._package = package
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._summaries, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._summaries:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(f"{self._package}.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as missing:
            part = _PART_OF.get((missing.name or "").partition(".")[0])
            if part is None:
                raise
            raise click.ClickException(
                "This command needs a part of Parley that is not installed. In a checkout of Parley: "
                f"pip install -c constraints.txt '.[{part}]'"
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            room = formatter.width - 6 - max(map(len, self.list_commands(ctx)), default=0)
            added = [(name, command.get_short_help_str(room)) for name, command in self.commands.items()]
            formatter.write_dl([*self._summaries.items(), *added])
