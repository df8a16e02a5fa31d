"""Write a song as text: lyrics with chords above them, or in ChordPro with the chords between the letters.

Both are read back as lyrics by `lyrics.parse`, with the same sections and words.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from lyrics.document import Role
from pipeline.notation import bars
from pipeline.song import Song, SungLine, SungSection, chord_symbol

# ChordPro has environments for these; other sections get a comment (https://www.chordpro.org/chordpro/directives-env/).
_ENVIRONMENTS = {Role.VERSE: "verse", Role.CHORUS: "chorus", Role.HOOK: "chorus", Role.BRIDGE: "bridge"}


@dataclass(frozen=True, slots=True)
class _Letters:
    """Where a syllable stands in the written line, and when it is sung."""

    first: int  # column of its first letter
    after: int  # column after its last letter and the punctuation that follows
    onset: int
    end: int


def sheet_text(song: Song) -> str:
    """Return the lyrics as written with chord symbols on a line above each line."""
    settings = song.settings
    blocks = [f"Title: {song.title}\nKey: {settings.key}\nMeter: {settings.meter}\nTempo: {settings.tempo_text}"]
    for section in song.sections:
        rows = [f"[{section.label}]"]
        for line in _with_words(section):
            text, chords = _placed(song, line)
            above = ""
            for column, symbols in chords:
                # A symbol never touches the one before it.
                above = above.ljust(column) + " " * (bool(above) and len(above) >= column) + " ".join(symbols)
            rows += [above, text] if above else [text]
        if not _with_words(section):
            rows.append(_bar_chart(song, section))
        blocks.append("\n".join(rows))
    return "\n\n".join(blocks) + "\n"


def chordpro_text(song: Song) -> str:
    """Return the song in ChordPro format."""
    settings = song.settings
    rows = [
        f"{{title: {_plain(song.title)}}}",
        f"{{key: {_key_name(song)}}}",
        f"{{tempo: {settings.tempo_text}}}",
        f"{{time: {settings.meter}}}",
    ]
    for section in song.sections:
        environment = _ENVIRONMENTS.get(section.role) if _with_words(section) else None
        label = _plain(section.label)
        rows += ["", f"{{start_of_{environment}: {label}}}" if environment else f"{{comment: {label}}}"]
        for line in _with_words(section):
            text, chords = _placed(song, line)
            for column, symbols in reversed(chords):
                text = text[:column] + "".join(f"[{symbol}]" for symbol in symbols) + text[column:]
            rows.append(" " * text.startswith("#") + text)  # a "#" in the first column begins a comment
        if not _with_words(section):
            rows += ["{start_of_grid}", _bar_chart(song, section), "{end_of_grid}"]
        if environment:
            rows.append(f"{{end_of_{environment}}}")
    return "\n".join(rows) + "\n"


def _with_words(section: SungSection) -> tuple[SungLine, ...]:
    """Return the lines of a section that have words: tunes that were given may have none."""
    return tuple(line for line in section.lines if any(word.text for word in line.words))


def _key_name(song: Song) -> str:
    """Name the key as ChordPro does: "G", "Em"."""
    tonic, mode = str(song.settings.key).split()
    return tonic + ("m" if mode == "minor" else "")


def _plain(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


def _written(line: SungLine) -> tuple[str, list[_Letters]]:
    """Return the line as written and the place of each syllable in it.

    A token that is sung as other words ("24/7") stands as it was written; all its syllables share its place. Tokens
    that were written without a blank between them ("#1") have none.
    """
    text = ""
    done = 0  # in the line as it was given
    places: list[_Letters] = []
    for _, group in groupby(line.words, key=lambda word: word.token):
        words = list(group)
        token = words[0].prefix + words[0].written + words[-1].suffix
        given = line.text.find(token, done)
        glued = given == done
        done = len(line.text) if given < 0 else given + len(token)
        text += (" " if text and not glued else "") + words[0].prefix
        column = len(text)
        text += words[0].written + words[-1].suffix
        for word in words:
            for index, syllable in enumerate(word.syllables):
                plain = word.text == word.written
                after = column + len(syllable.text) if plain and index < len(word.syllables) - 1 else len(text)
                places.append(_Letters(column, after, syllable.notes[0].onset, syllable.notes[-1].end))
                column = after if plain else column
    return text, places


def _placed(song: Song, line: SungLine) -> tuple[str, list[tuple[int, list[str]]]]:
    """Return the line, and by column its chords: those that begin in it, and the one that sounds when it begins."""
    text, places = _written(line)
    begins = places[0].onset
    placed: dict[int, list[str]] = {}
    first = max(0, bisect_right(song.chords, begins, key=lambda span: span.onset) - 1)
    for span in song.chords[first:]:
        if span.onset >= line.end:
            break
        if span.onset + span.duration > begins:
            # Before the syllable that it begins with; behind one that is being held; at the end in a closing rest.
            index = bisect_right(places, span.onset, key=lambda place: place.end)
            if index == len(places):
                column = len(text)
            else:
                column = places[index].first if span.onset <= max(begins, places[index].onset) else places[index].after
            placed.setdefault(column, []).append(chord_symbol(span.chord, song.settings.key))
    return text, sorted(placed.items())


def _bar_chart(song: Song, section: SungSection) -> str:
    """Write the chords of a section without words, bar by bar: "| G | Am7 D7 |"."""
    return "| " + " | ".join(_bar_chords(song, section)) + " |"


def _bar_chords(song: Song, section: SungSection) -> Iterator[str]:
    for bar in bars(song):
        if section.start <= bar.start < section.end:
            sounding = (s for s in song.chords if s.onset < bar.end and s.onset + s.duration > bar.start)
            yield " ".join(chord_symbol(span.chord, song.settings.key) for span in sounding) or "N.C."
