"""The command that goes on with a tune that the user brings: extend."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import (
    AsJson,
    Force,
    Formats,
    KeyName,
    MeterName,
    MidiLyrics,
    Output,
    Pronunciations,
    Quiet,
    Seed,
    Style,
    Tempo,
    Title,
    Verbose,
    app,
    pronouncer,
    read_input,
    reporting,
    tell_left_out,
)
from pipeline.commands.songs import print_files, tell, write_song


@app.command()
def extend(
    melody: Annotated[
        Path,
        typer.Argument(
            metavar="MELODY.mid|-",
            help="A tune: MIDI; with the extra [audio] also MusicXML, ABC, MEI, or a recording (WAV); - is stdin.",
        ),
    ],
    bars: Annotated[int | None, typer.Option(metavar="N", help="Bars to add: 8, or what the words need.")] = None,
    lyrics: Annotated[Path | None, typer.Option(metavar="FILE", help="Words for the continuation.")] = None,
    track: Annotated[
        str | None, typer.Option(metavar="NAME|N", help="The track that has the melody, if the wrong one is taken.")
    ] = None,
    output: Output = Path("."),
    formats: Formats = "mid,musicxml,json",
    seed: Seed = 0,
    key: KeyName = None,
    tempo: Tempo = None,
    meter: MeterName = None,
    style: Style = "folk",
    title: Title = None,
    pronunciations: Pronunciations = None,
    midi_lyrics: MidiLyrics = "plain",
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Go on with the tune in MELODY, with or without words, and print the files written."""
    with reporting(verbose):
        from lyrics.parse import read_lyrics
        from pipeline.extend import extend as extend_tune
        from pipeline.names import counted, safe_name, slug, title_from_stem
        from pipeline.render import parse_formats
        from pipeline.tune import MAX_BYTES, read_tune

        names = parse_formats(formats)
        from_stdin = str(melody) == "-"
        name = "standard input" if from_stdin else str(melody)
        data = read_input(melody, MAX_BYTES + 1)
        tune = read_tune(data, name, track=track, key=key, meter=meter, tempo=tempo)
        spoken = pronouncer(pronunciations)
        words = None if lyrics is None else read_lyrics(None if str(lyrics) == "-" else lyrics, spoken)
        song = extend_tune(
            tune,
            bars=bars,
            lyrics=words,
            seed=seed,
            style=style or "folk",
            title=title,
            name=None if from_stdin else title_from_stem(melody.stem),
            midi_lyrics=midi_lyrics,
            pronouncer=spoken,
        )
        stem = slug(song.title) if from_stdin or title else safe_name(melody.stem)
        written = write_song(song, output, stem + "-extended", names, force, (melody, lyrics, pronunciations))
        if not quiet:
            if words is not None:
                tell_left_out(words)
            tell(song)
            if tune.voice:
                typer.echo(f"{'track:':7} {tune.voice}", err=True)
            if tune.num_left_out:
                left_out = counted(tune.num_left_out, "ornament")
                typer.echo(f"{left_out} left out: the grid has no room for more", err=True)
        print_files(song, written, as_json)
