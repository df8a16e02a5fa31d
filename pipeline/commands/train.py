"""The commands that train the models: `songwright train <model>`, for people who work on them.

They need the extra `train`. Each is a function below: parse options, call one function of the library, print paths.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import Verbose, app, reporting
from pipeline.errors import SettingsError

train = typer.Typer(
    name="train",
    help="Train the models yourself.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(train)


@train.callback()
def _train() -> None:
    """Train the models yourself (needs the extra `train`)."""


@train.command()
def melody(
    data: Annotated[Path, typer.Option(metavar="DIR|FILE", help="A table of songs, or a folder that holds one.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run; a run that was stopped goes on.")],
    config: Annotated[
        str, typer.Option(metavar="NAME|FILE.json", help="full, lines, tiny, or a file that changes values of full.")
    ] = "full",
    stage: Annotated[str, typer.Option(metavar="NAME", help="lstm, gan or all.")] = "all",
    seed: Annotated[int | None, typer.Option(help="Instead of the config's.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Leave a GPU alone.")] = False,
    verbose: Verbose = False,
) -> None:
    """Train the joint melody network by likelihood (lstm), then against a discriminator (gan); print what ships."""
    with reporting(verbose), _training_failures():
        from lyrics.errors import need

        need("training", "train", "torch", "accelerate", "pyarrow", "matplotlib")
        from melody.train_melody import STAGES, read_config, train_melody

        if stage not in STAGES:
            raise SettingsError(f"stage must be one of {', '.join(STAGES)}, got {stage!r}")
        settings = read_config(config, seed)
        with _bar() as progress:
            for path in train_melody(data, out, settings, stage, cpu=cpu, progress=progress):
                typer.echo(str(path))


@train.command("lyrics")
def train_lyrics(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder with the tables of verse.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run; a run that was stopped goes on.")],
    config: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Changes the default values.")] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help="The base: a name, a hub id or a folder.")] = "",
    max_minutes: Annotated[float | None, typer.Option(metavar="M", help="End after this time, instead of 60.")] = None,
    poems: Annotated[int | None, typer.Option(metavar="N", help="Learn from the N poems most like lyrics.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the config's.")] = None,
    verbose: Verbose = False,
) -> None:
    """Train the adapter of the language model that writes lyrics, and print its folder."""
    with reporting(verbose):
        from dataclasses import replace

        from lyrics.errors import need

        need("training", "train", "torch", "transformers", "peft", "accelerate", "pyarrow", "matplotlib")
        from lyrics.model_store import DEFAULT_MODEL
        from lyrics.train_lm import AdapterConfig
        from lyrics.train_lyrics import NUM_POEMS
        from lyrics.train_lyrics import train_lyrics as run

        settings = AdapterConfig() if config is None else AdapterConfig.read(config)
        if max_minutes is not None:
            settings = replace(settings, max_minutes=max_minutes)
        if seed is not None:
            settings = replace(settings, seed=seed)
        run(
            data,
            out,
            settings,
            model=model or DEFAULT_MODEL,
            num_poems=NUM_POEMS if poems is None else poems,
            say=lambda text: typer.echo(text, err=True),
        )
        typer.echo(str(out))


@contextmanager
def _training_failures() -> Iterator[None]:
    """Turn what training cannot work with into bad input; these classes load torch's world only where it is used."""
    from melody.joint_data import DataError
    from melody.lstm import ModelError

    try:
        yield
    except (DataError, ModelError, ValueError) as error:
        raise SettingsError(str(error)) from error


@contextmanager
def _bar() -> Iterator[Callable[[str, float], None]]:
    """Show a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("reading", total=1.0)

        def show(text: str, share: float) -> None:
            bars.update(task, description=text, completed=share)

        yield show
