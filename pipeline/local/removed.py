"""Prints what `ncf gc` removed, or would remove."""

import typer


def say(rows: list[tuple[int, str]], what: str, deleted: bool) -> None:
    """Prints size and place of everything that was, or would be, removed."""
    for size, folder in rows:
        typer.echo(f"{size / 1e6:10.1f} MB  {folder}")
    total = sum(size for size, _ in rows) / 1e6
    verb = "Removed" if deleted else "Would remove"
    typer.echo(f"{verb} {len(rows)} {what}, {total:.1f} MB.")
    if rows and not deleted:
        typer.echo("Nothing was changed; `--delete` removes them.")
