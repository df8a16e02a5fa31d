"""Compose songs from held-out lyrics and print, beside the human songs, what both measure.

    python scripts/evaluate_songs.py songs_open.parquet [--seed 0] [--samples 1] [--limit 0] [--json table.json]

Nothing is trained or tuned on these songs (see docs/data.md); `--development` judges on songs that are tuned on. The
human column comes from the same code. For overlaps it holds two halves of the human songs, parted by song, and after
the stroke all human songs beside the training songs: what notes drawn at random from the training songs reach (where
metre and mode are given: from those of the same metre and mode). With several `--samples` every text is composed so
often, and overlaps are means with standard deviations.
"""

import argparse
import dataclasses
import json
import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from align.corpus import read_corpus
from lyrics.document import LyricsError
from lyrics.parse import parse_lyrics
from pipeline.compose import compose
from pipeline.evaluation import lyric_lines, sung_from_corpus, table, verse_and_chorus
from pipeline.song import Song


def main() -> None:
    """Print the table; exit 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=1, help="songs composed to every text, for the overlaps")
    parser.add_argument("--limit", type=int, default=0, help="use only so many held-out verses (0: all)")
    parser.add_argument("--json", type=Path, help="also write the table here")
    parser.add_argument(
        "--development", action="store_true", help="judge on songs of the training part set aside for tuning instead"
    )
    options = parser.parse_args()

    part = 1 if options.development else 0
    corpus = list(read_corpus(options.data))
    training = [song for song in corpus if int(song.group, 16) % 10 > 1 or (part == 0 and not song.held_out)]
    judged = [song for song in corpus if int(song.group, 16) % 10 == part]
    judged = judged[: options.limit or None]
    human, words, forms, groups, refused = [], [], [], [], []
    songs: list[list[Song]] = [[] for _ in range(options.samples)]
    alike: list[list[Song]] = [[] for _ in range(options.samples)]
    for number, song in enumerate(track(judged, "composing", console=Console(stderr=True))):
        sung = sung_from_corpus(song)
        seeded = partial(compose, seed=options.seed + number)
        lines = lyric_lines(song)
        try:
            text = parse_lyrics("\n".join(lines))
            for sample in range(options.samples):
                again = partial(compose, text, seed=options.seed + number + sample * len(judged))
                songs[sample].append(again())
                alike[sample].append(again(meter=str(song.meter), key=sung.key.mode, style=song.style))
            if len(lines) >= 8:
                forms.append(seeded(verse_and_chorus(lines)))
        except LyricsError as error:
            refused.append(f"{song.song_id}: {error}")
            continue
        human.append(sung)
        words.append(text)
        groups.append(song.group)
    for reason in refused:
        print("left out:", reason, file=sys.stderr)

    rows = table(human, words, songs, alike, forms, groups, [sung_from_corpus(song) for song in training])
    view = Table(title=f"{len(words)} held-out lyrics, {len(forms)} with verse and chorus, {len(refused)} left out")
    for heading in ("property", "human", "ours", "target", "reached"):
        view.add_column(heading)
    for row in rows:
        view.add_row(row.name, row.human, row.ours, row.target, {True: "yes", False: "NO", None: ""}[row.reached])
    Console(width=130).print(view)
    if options.json:
        options.json.write_text(
            json.dumps([dataclasses.asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8"
        )
    sys.exit(any(row.reached is False for row in rows))


if __name__ == "__main__":
    main()
