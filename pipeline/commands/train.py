"""The commands that train the models: `songwright train <model>`, for people who work on them.

They need the extra `train`. Each is a function below: parse options, call one function of the library, print paths.
"""

import typer

from pipeline.commands.common import app

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
