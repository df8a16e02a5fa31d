"""Measure how often the quadrant of a mood (glad or sad, excited or calm) is right, on labelled passages.

    python scripts/evaluate_mood.py                    # the passages in tests/data/mood
    python scripts/evaluate_mood.py --meaning          # the same by the sentence encoder
    python scripts/evaluate_mood.py --deep             # by the language model too
    python scripts/evaluate_mood.py --wrong FILE.tsv   # one file, and the passages that are judged wrongly

The passages were written for this project. A file has one passage a line: label, what is hard about it, text.
"""

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lyrics.mood import find_mood
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

FOLDER = Path(__file__).parent.parent / "tests" / "data" / "mood"


@dataclass(frozen=True, slots=True)
class Passage:
    """A labelled passage."""

    label: str  # "glad calm"
    about: str
    text: str


def read_passages(path: Path) -> list[Passage]:
    """Read a file of passages; lines that begin with "#" are comments."""
    rows = [row.split("\t") for row in path.read_text(encoding="utf-8").splitlines() if not row.startswith("#")]
    return [Passage(label, about, text.replace(" / ", "\n")) for label, about, text in rows]


def quadrant(valence: float, energy: float) -> str:
    """Name the quadrant as the labels do; 0 counts as sad, and as calm."""
    return f"{'glad' if valence > 0 else 'sad'} {'excited' if energy > 0 else 'calm'}"


def main() -> None:
    """Read the options, judge every passage, print a line per file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=sorted(FOLDER.glob("*.tsv")))
    parser.add_argument("--wrong", action="store_true", help="print the passages that are judged wrongly")
    parser.add_argument("--meaning", action="store_true", help="let the sentence encoder read the mood")
    parser.add_argument("--deep", action="store_true", help="let the language model read it too")
    options = parser.parse_args()
    judge = find_mood
    if options.deep:
        from lyrics.meaning import find_deep_mood as judge
    elif options.meaning:
        from lyrics.meaning import find_mood_by_meaning as judge
    pronouncer = Pronouncer()
    print(f"{'file':12} {'passages':>8} {'quadrant':>9} {'valence':>8} {'energy':>7}")
    for path in options.files:
        passages = read_passages(path)
        right: Counter[str] = Counter()
        wrong = []
        for passage in passages:
            sections = parse_lyrics(passage.text, pronouncer).sections
            mood = judge(line for section in sections for line in section.lines)
            found = quadrant(mood.valence, mood.energy)
            valence, energy = (one == other for one, other in zip(found.split(), passage.label.split(), strict=True))
            right.update({"quadrant": valence and energy, "valence": valence, "energy": energy})
            if found != passage.label:
                words = " ".join(f"{word.word}({word.valence:+},{word.energy:+})" for word in mood.words)
                wrong.append(f"{passage.label} ({passage.about}), judged {mood.valence:+} {mood.energy:+}: {words}")
        shares = (right[name] / len(passages) for name in ("quadrant", "valence", "energy"))
        print(f"{path.stem:12} {len(passages):8} {' '.join(f'{share:8.1%}' for share in shares)}")
        if options.wrong:
            print("  " + "\n  ".join(wrong))


if __name__ == "__main__":
    main()
