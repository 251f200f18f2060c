"""``pose-bridge config``: what the service would run with, and where each value comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli.help_page import CommandPage, GroupPage, examples
from bridge.cli.options import AsJson
from bridge.cli.output import write_json
from bridge.cli.setting_options import PANELS, with_settings
from bridge.config import EffectiveSettings, Settings, settings_of_file

config = typer.Typer(name="config", cls=GroupPage, no_args_is_help=True)


@config.callback()
@examples(("pose-bridge config show", "What `serve` would run with here, and where each value comes from."))
def _config() -> None:
    """Show or check the settings of the service."""


@config.command(cls=CommandPage)
@examples(
    ("pose-bridge config show", "What `serve` would run with here, and where each value comes from."),
    (
        "pose-bridge config show --config pose-bridge.toml --max-sessions 8 --json",
        "With a file and an option, as JSON.",
    ),
)
@with_settings
def show(
    effective: EffectiveSettings,
    as_json: AsJson = False,
) -> None:
    """Print every setting with its value and its source: flag, environment, file or default.

    Takes the options of `pose-bridge serve` and reads the same file and environment. Secrets are not shown: settings
    name only the files that hold them.
    """
    # Loaded late: help should not wait for it.
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Settings", title_justify="left", title_style="bold")
    table.add_column("setting", style="cyan", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", style="dim", overflow="fold")
    values = effective.settings.model_dump(mode="json")
    for names in PANELS.values():
        for name in names:
            table.add_row(name, _in_words(values[name]), effective.sources[name])
        table.add_section()
    Console(stderr=True, markup=False, highlight=False).print(table)
    if as_json:
        facts = {name: {"value": values[name], "source": effective.sources[name]} for name in Settings.model_fields}
        write_json({"config": effective.config and str(effective.config), "settings": facts})


@config.command(cls=CommandPage)
@examples(("pose-bridge config check pose-bridge.toml", "Before a server is started with it."))
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Configuration file (TOML).", show_default=False)],
) -> None:
    """Say whether a configuration file reads, knows its settings and fits together; exit code 0 only if so.

    The environment is left out, so that the file is checked alike on any machine.
    """
    sources = settings_of_file(file).sources
    set_here = [name for name, source in sources.items() if source != "default"]
    typer.echo(f"{file}: fine, sets {', '.join(set_here) or 'nothing'}", err=True)


def _in_words(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
