"""`ganlab cache`: what is kept so that it need not be computed again."""

from __future__ import annotations

import click

from ganlab.words import counted

__all__ = ["command"]


@click.command("cache")
@click.option(
    "--clear",
    metavar="all|data|statistics|other|NAME|PATH",
    help="Remove everything; packed data, statistics of real samples, or other files (such as weights); "
    "or one entry, by the beginning of its name or the path that it was packed from.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def command(clear: str | None, as_json: bool) -> None:
    """List what the cache directory holds, or clear it, or a part of it.

    All of it can be made again. GANLAB_CACHE names another directory.
    """
    from dataclasses import asdict

    from ganlab.data.cache_contents import cache_entries, remove, select
    from ganlab.data.cache_directory import cache_directory
    from ganlab.runs.encoding import to_json

    cache = cache_directory()
    found = cache_entries(cache)
    if clear is not None:
        gone = select(found, clear)
        remove(cache, gone)
        click.echo(f"removed {_total([each.size for each in gone])} from {cache}")
        return
    if as_json:
        click.echo(to_json([asdict(each) for each in found], indent=2))
        return
    if not found:
        click.echo(f"{cache} holds nothing")
        return
    from ganlab.commands.tables import print_table

    rows = [(each.kind, _megabytes(each.size), each.name[:12], each.content) for each in found]
    print_table(("KIND", "SIZE", "NAME", "CONTENT"), rows)
    click.echo(
        f"{_total([each.size for each in found])} in {cache}; `ganlab cache --clear` removes it, or a part"
    )


def _total(sizes: list[int]) -> str:
    return f"{counted(len(sizes), 'entry', 'entries')}, {_megabytes(sum(sizes))},"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
