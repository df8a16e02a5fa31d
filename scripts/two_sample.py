"""Train a small classifier to tell phrases of composed songs from phrases that people wrote; 50 % right is perfect.

    python scripts/two_sample.py songs_open.parquet --given --json two_sample.json

One verse of every song gives its words; they are composed anew, and both versions are cut into phrases of eight bars.
Accuracy is counted on held-out songs (`--tuning`: on the tenth set aside for tuning, with nothing of the held-out songs
used), by classifiers that have seen neither version of them. `--given` keeps each song's metre, mode and style, so that
only the melody is judged, not the choice of metre. `--legato` holds every note until the next one on both sides, so
that it does not count how a breath is written. `--songs DIR` keeps the song documents there and reads them again.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from rich.console import Console
from rich.progress import track

from align.corpus import CorpusSong, read_corpus
from lyrics.document import LyricsError
from melody.corpus import song_key
from melody.phrases import Phrase, cut_phrases, legato
from melody.two_sample import two_sample_test
from pipeline.compose import compose
from pipeline.evaluation import lyric_lines, sung_from_corpus, sung_from_song
from pipeline.song import Song


def composed(song: CorpusSong, seed: int, given: bool, folder: Path | None) -> Song:
    """Compose a song's words, or read what was composed before."""
    path = None if folder is None else folder / f"{song.song_id.replace('/', '__')}.json"
    if path is not None and path.exists():
        return Song.from_json(path.read_bytes())
    text = "\n".join(lyric_lines(song))
    if given:
        new = compose(text, seed=seed, meter=str(song.meter), key=str(song_key(song)), style=song.style)
    else:
        new = compose(text, seed=seed)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(new.to_json(), encoding="utf-8")
    return new


def main() -> None:
    """Compose, cut, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--given", action="store_true", help="keep each song's metre, mode and style")
    parser.add_argument(
        "--tuning", action="store_true", help="judge the tenth set aside for tuning, leave held-out alone"
    )
    parser.add_argument(
        "--legato", action="store_true", help="hold every note until the next, human and composed alike"
    )
    parser.add_argument("--tenths", type=int, default=10, help="use only so many tenths of the groups; 10: all")
    parser.add_argument("--songs", type=Path, help="folder of song documents, written if they are missing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the verdicts here")
    options = parser.parse_args()

    tenth = 1 if options.tuning else 0
    others = [n for n in range(2 if options.tuning else 1, 10)][: options.tenths - 1]
    verses: dict[str, CorpusSong] = {}
    for song in read_corpus(options.data):
        if int(song.group, 16) % 10 in (tenth, *others):
            verses.setdefault(song.song_id, song)
    human: list[Phrase] = []
    generated: list[Phrase] = []
    left_out = 0
    for number, song in enumerate(track(verses.values(), "composing", console=Console(stderr=True))):
        try:
            ours = sung_from_song(composed(song, options.seed + number, options.given, options.songs))
        except LyricsError:
            left_out += 1
            continue
        human += cut_phrases(sung_from_corpus(song), song.group)
        generated += cut_phrases(ours, song.group)
    if options.legato:
        human, generated = [legato(phrase) for phrase in human], [legato(phrase) for phrase in generated]
    judged = frozenset(p.group for p in human if int(p.group, 16) % 10 == tenth)
    test = two_sample_test(human, generated, options.seed, judged)

    part = "tuning" if options.tuning else "held-out"
    print(f"{len(verses) - left_out} songs, {len(human)} human and {len(generated)} composed phrases of eight bars;")
    print(f"judged on the {part} songs: {test.generated.num_human} human, {test.generated.num_generated} composed")
    for name in ("generated", "random_notes", "shuffled", "halves"):
        verdict = getattr(test, name)
        label = "human halves" if name == "halves" else f"human / {name.replace('_', ' ')}"
        print(f"{label:24}{100 * verdict.accuracy:6.1f} % +- {100 * verdict.standard_error:.1f}")
    print(f"\n{'what gives it away':46}{'human':>9}{'composed':>10}{'more in composed':>18}")
    for giveaway in test.generated.giveaways:
        print(
            f"{giveaway.feature:46}{giveaway.human:9.3f}{giveaway.generated:10.3f}{100 * giveaway.separation:16.0f} %"
        )
    if options.json:
        options.json.write_text(json.dumps(dataclasses.asdict(test), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
