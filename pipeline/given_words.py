"""The words that stand in a MIDI file, put together again from its lyric events.

Programs write syllables in several ways: with blanks between words (karaoke; RP-017 adds a carriage return after a line
and a line feed after a stanza), with a stroke before a line (Soft Karaoke), with hyphens inside words, or bare. Bare
syllables are joined where they spell a word that the dictionary has and are not all words themselves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lyrics.cmudict import pronunciations
from lyrics.document import LyricsError, Syllable, Word
from lyrics.function_words import is_function_word
from lyrics.pronounce import Pronouncer, UnpronounceableError
from melody.listening import TuneNote

_LONGEST_MELISMA = 8  # notes; a longer stretch without words is played, not sung
_LONGEST_WORD = 6  # syllables
_HELD = re.compile(r"[-_~+=–—\s]*")  # what some programs write under a note that continues a syllable
_OUTSIDE = re.compile(r"^([^\w'’]*)(.*?)([^\w'’-]*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class GivenWord:
    """A word, or a note without one (a word with an empty text)."""

    word: Word
    notes: tuple[tuple[int, ...], ...]  # of each syllable: indices of its notes
    new_line: bool = False  # the file begins a line with it


@dataclass(slots=True)
class _Sung:
    """A syllable as it was written."""

    text: str
    notes: list[int]
    joined: bool  # continues the word of the syllable before
    new_line: bool


def has_words(texts: Sequence[str | None]) -> bool:
    """Whether any note has a text under it."""
    return any(text is not None and not _HELD.fullmatch(text) for text in texts)


def given_words(texts: Sequence[str | None], notes: Sequence[TuneNote]) -> list[GivenWord]:
    """Return the words of a tune, every note in exactly one of them, in order."""
    syllables = _syllables(texts, notes)
    pronouncer = Pronouncer() if has_words(texts) else None
    words: list[GivenWord] = []
    group: list[_Sung] = []
    for syllable in [*syllables, None]:
        if group and (syllable is None or not syllable.joined):
            words.append(_word(group, pronouncer))
            group = []
        if syllable is not None:
            group.append(syllable)
    return words


def _syllables(texts: Sequence[str | None], notes: Sequence[TuneNote]) -> list[_Sung]:
    """Strip the marks off the texts and decide which notes are held and which syllables belong together."""
    written = [text for text in texts if text]
    marked = any(text[:1] in "/\\" or text[-1:] in "\r\n" for text in written)
    spaced = marked or any(text[:1] == " " or text[-1:] == " " for text in written)
    hyphened = any(len(text.strip()) > 1 and text.rstrip().endswith("-") for text in written)
    found: list[_Sung] = []
    before = ""  # the text before, as written
    for index, text in enumerate(texts):
        if text is None or _HELD.fullmatch(text):
            last = found[-1] if found else None
            held = last is not None and last.text and len(last.notes) < _LONGEST_MELISMA
            if held and last is not None and notes[index].onset == notes[index - 1].end:
                last.notes.append(index)
            else:
                found.append(_Sung("", [index], False, False))
            continue
        plain = " ".join(text.strip(" \t\r\n/\\").split()) or text.strip()
        new_line = text[:1] in "/\\" or before[-1:] in ("\r", "\n")
        joined = bool(found) and bool(found[-1].text) and not new_line
        if spaced:
            joined = joined and text[:1] != " " and before[-1:] not in (" ", "\t")
        else:
            joined = joined and hyphened and before.rstrip().endswith("-")
        if joined:
            found[-1].text = found[-1].text.removesuffix("-") if hyphened else found[-1].text
        found.append(_Sung(plain, [index], joined, new_line))
        before = text
    if not spaced and not hyphened:
        _join_bare(found)
    return found


def _join_bare(syllables: list[_Sung]) -> None:
    """Join bare syllables that spell a word of the dictionary, the longest first."""
    start = 0
    while start < len(syllables):
        for length in range(min(_LONGEST_WORD, len(syllables) - start), 1, -1):
            group = syllables[start : start + length]
            parts = [_core(syllable.text) for syllable in group]
            inner = [syllable.text[-1:].isalpha() for syllable in group[:-1]]
            if not all(parts) or not all(inner):
                continue
            if all(pronunciations(part) for part in parts):
                continue
            counts = [sum(phone[-1].isdigit() for phone in phones) for phones in pronunciations("".join(parts))]
            if length in counts:
                for syllable in group[1:]:
                    syllable.joined = True
                start += length - 1
                break
        start += 1


def _core(text: str) -> str:
    return re.sub(r"[^\w']", "", text.replace("’", "'")).lower()


def _word(group: list[_Sung], pronouncer: Pronouncer | None) -> GivenWord:
    """Make a word of its syllables, punctuation around it apart, with its pronunciation if it has one."""
    parts = [syllable.text for syllable in group]
    prefix = suffix = ""
    match = _OUTSIDE.match(parts[0])
    if match is not None and match[2]:
        prefix, parts[0] = match[1], parts[0][len(match[1]) :]
    match = _OUTSIDE.match(parts[-1])
    if match is not None and match[2]:
        suffix = match[3]
        parts[-1] = parts[-1][: len(parts[-1]) - len(suffix)]
    text = "".join(parts)
    syllables = tuple(Syllable(part, (), 0) for part in parts)
    content = False
    if pronouncer is not None and text and all(parts):
        try:
            syllables = pronouncer.syllables(text, forced=tuple(parts))
            content = not is_function_word(text)
        except (UnpronounceableError, LyricsError, ValueError):
            pass  # another language, or no word at all: it is kept as it stands
    word = Word(text, text, 0, syllables, content, prefix, suffix, in_dictionary=bool(text))
    return GivenWord(word, tuple(tuple(syllable.notes) for syllable in group), group[0].new_line)
