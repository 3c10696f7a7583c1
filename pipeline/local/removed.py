"""Tells what `ncf gc` removed, or would."""

import typer


def say(rows: list[tuple[int, str]], what: str, deleted: bool) -> None:
    """Prints what was, or would be, removed: how large and where."""
    for size, folder in rows:
        typer.echo(f"{size / 1e6:10.1f} MB  {folder}")
    total = sum(size for size, _ in rows) / 1e6
    verb = "Removed" if deleted else "Would remove"
    typer.echo(f"{verb} {len(rows)} {what}, {total:.1f} MB.")
    if rows and not deleted:
        typer.echo("Nothing was changed; `--delete` removes them.")
