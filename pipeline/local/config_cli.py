"""`ncf config`: prints every field of the configuration."""

import json
from typing import Annotated

import typer


def show_config(
    json_schema: Annotated[
        bool,
        typer.Option("--json-schema", help="Print the JSON schema, for editors."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the fields as JSON, for programs.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the README's table.")
    ] = False,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Fields or sections, such as train or data.columns."),
    ] = None,
) -> None:
    """Print every field of the configuration: its type, default and meaning."""
    import dataclasses

    from pipeline import config_fields

    if json_schema:
        typer.echo(json.dumps(config_fields.json_schema(), indent=2))
        return
    found = [f for f in config_fields.fields() if _wanted(f.name, names or [])]
    if not found:
        typer.secho(f"No such field or section: {', '.join(names or [])}.", err=True)
        raise typer.Exit(2)
    if markdown:
        typer.echo(config_fields.markdown(found))
    elif as_json:
        typer.echo(json.dumps([dataclasses.asdict(f) for f in found], indent=2))
    else:
        for field in found:
            typer.secho(field.name, bold=True, nl=False)
            typer.echo(f" = {field.default}   ({field.type})")
            typer.echo(f"    {field.meaning}")


def _wanted(name: str, given: list[str]) -> bool:
    return not given or any(name == one or name.startswith(f"{one}.") for one in given)
