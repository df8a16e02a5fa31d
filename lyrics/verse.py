"""Verse to learn from: openly licensed poems and songs, cleaned of what no one sings today.

`read_verse` reads the two tables that docs/data.md and docs/lyrics_model.md name, `clean` keeps the poems in plain
diction by authors dead for 70 years, and `lessons` turns them into the form of lyrics/prompt.py: an opening with theme,
title, mood and metre, then every line after its cue. Nothing of it is needed for writing.
"""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from pathlib import Path

from lyrics import prompt
from lyrics.document import Line, LyricsError, Role
from lyrics.function_words import is_function_word
from lyrics.mood import find_mood
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from lyrics.prosody import find_metre

LAST_DEATH = 1954  # authors who died later, or at an unknown time, are left out: life + 70 years
SONGS, POEMS = "songs_open.parquet", "verse_text/verse_songlike.parquet"

# A poem with more than a few lines that hold one of these is left out; from those few lines nothing is learned.
_ARCHAIC = frozenset(
    "thou thee thy thine thyself ye hath doth hast dost didst shalt wilt wert wast canst couldst wouldst shouldst "
    "mayst hadst saith quoth 'tis 'twas 'twill 'twere 'twould o'er e'er ne'er ere oft whilst amid amidst midst betwixt "
    "methinks wherefore whence thence hither thither whither yon yonder nay yea lo alas hark behold morn 'neath 'mid "
    "'gainst th' i' o' wi' bower bowers mead swain swains nymph nymphs maiden maidens damsel steed steeds prithee "
    "forsooth verily anon eke spake brake bade clad girt fain hie hies nigh twain thrice ope oped vale vales dell "
    "zephyr zephyrs muse fancy's lyre lute minstrel strain strains verdant azure ether billow billows knell "
    "dirge bier sepulchre realm realms monarch sire sires dame lass lassie lad bard bards fay fays sylvan gloaming "
    "hoary welkin wight yore unto athwart beneath'd perchance mayhap whate'er where'er whene'er howe'er "
    "e'en ev'n heav'n heav'nly pow'r flow'r flow'rs 'til tho' thro' thro altho' burthen vesper erst befall beseech "
    "hallowed bosom bosoms breast breasts smote smite slay slain slew foe foes woe woes weal wrath plight troth mirth "
    "gay queer ejaculated naught aught rife bonny wee bairn ain auld frae nae gude ken ilka sae mair mither ay aye "
    "de dat dis dem dey "
    "massa mammy ole gwine wuz ter sah hab ob".split()
)
_MOST_ARCHAIC = 0.1  # share of lines
_ARCHAIC_FORM = re.compile(r"[a-z]{2,}(?:eth|'dst|'st)$|.+-(?:a-|o'er)|^a-\w+ing$|^to-(?:day|night|morrow)$|.*'d$")
_ETH = frozenset("teeth seth beth elizabeth macbeth nazareth kenneth".split())
_D = frozenset("i'd you'd he'd she'd we'd they'd who'd it'd that'd there'd how'd where'd why'd".split())
# Slurs, words used as such in the sources, and peoples named as enemies: a poem with one is left out.
_SLURS = re.compile(
    r"nigg|negro|darky|darkie|darkey|coon\b|coons\b|sambo|squaw|redskin|injun|chinam[ae]n|\bjap|heathen|papist|papish|"
    r"\bjew|gyps|gips|savage|infidel|\bturk|\bmoor\b|\bmoors\b|\bhun\b|\bhuns\b|mulatto|quadroon|half-breed|slave|"
    r"whore|harlot|wench|bastard|cripple|lunatic|spastic|faggot|paddy|hottentot|kaffir|\bwop|\bdago|tar-baby|pickaninn"
)
# A line that ends on one of these does not end: it stays in the poem, but nothing is learned from it.
_WEAK_ENDS = frozenset(
    "a an the of and or but nor to with for from at as that which who whom whose if than my your his her our their its "
    "is was are were be been am has have had do does did will would shall should can could may might must very so "
    "into onto upon because while when where though until till since like".split()
)
_FAITH = re.compile(r"\b(?:god|lord|jesus|christ|savio[u]?r|heaven|holy|angels?|amen|sin|sins|pray|prayer|soul)\b")

_OURS = frozenset("i me my mine you your yours we us our ours".split())
_THEIRS = frozenset("he him his she her hers they them their".split())

# Tokenised or typeset marks, and what they become.
_MARKS = (
    (re.compile(r"[’‘`´]"), "'"),
    (re.compile(r"(?<=[a-z])' (?=(?:s|d|t|ll|re|ve)\b)"), "'"),
    (re.compile(r'[“”"«»]|\[[^]]*\]|\([^)]*\)|_|\*'), ""),
    (re.compile(r"\s*(?:—|–|--|;|:)+\s*"), ", "),
    (re.compile(r"\.\.\.+|…"), ", "),
    (re.compile(r"(?:^|(?<= ))O(?= (?!'))"), "Oh"),
    (re.compile(r"\s*,[\s,]*(?=[,.?!]|$)"), ""),
    (re.compile(r"\s+"), " "),
)
_END_MARKS = re.compile(r"[\s,.;:'\-]+$")
_PLAIN_LINE = re.compile(r"'?[A-Z][A-Za-z',.?! -]*$")


@dataclass(frozen=True, slots=True)
class Poem:
    """A poem or the words of a song: stanzas of lines."""

    title: str
    author: str
    stanzas: tuple[tuple[str, ...], ...]
    source: str
    held_out: bool  # never trained on


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a lesson, tokenized by itself, with the weight of its tokens in the loss."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class LessonLine:
    """A line of a lesson."""

    role: Role
    starts_section: bool
    num_syllables: int
    end_word: str
    text: str
    learned: bool  # False for repeats and for lines that end on a weak word


@dataclass(frozen=True, slots=True)
class Lesson:
    """A song to learn from."""

    brief: prompt.Brief
    lines: tuple[LessonLine, ...]
    held_out: bool


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is left of the verse, and why the rest was dropped."""

    poems: tuple[Poem, ...]
    dropped: tuple[tuple[str, int], ...]


def read_verse(folder: Path) -> list[tuple[Poem, float | None]]:
    """Read both tables under `folder`; each poem with the year its author died (None: unknown; 0: public domain).

    Raises OSError or ValueError where a table is missing or is not one.
    """
    import pyarrow.parquet

    found: list[tuple[Poem, float | None]] = []
    columns = ["title", "author", "author_death", "source", "text"]
    for row in pyarrow.parquet.read_table(folder / POEMS, columns=columns).to_pylist():
        if row["source"] != "gutenberg_verse":
            continue  # the words of songs come from their own table, where copies of one song are known
        held_out = _hash(row["author"]) % 20 == 0
        poem = Poem(row["title"], row["author"], _stanzas(row["text"]), row["source"], held_out)
        found.append((poem, row["author_death"]))
    columns = ["title", "lyricist", "dataset", "language", "licence_tier", "group", "lines", "section_id", "line_id"]
    for row in pyarrow.parquet.read_table(folder / SONGS, columns=columns).to_pylist():
        lines = [line.strip() for line in row["lines"] or () if line.strip()]
        if row["language"] != "en" or row["dataset"] == "openscore_lieder" or not 4 <= len(lines) <= 40:
            continue
        stanzas = tuple(tuple(lines[start : start + 4]) for start in range(0, len(lines), 4))
        if len(stanzas) > 1 and len(stanzas[-1]) < 3:
            stanzas = (*stanzas[:-2], (*stanzas[-2], *stanzas[-1]))
        held_out = int(row["group"], 16) % 10 == 0
        found.append((Poem(row["title"], row["lyricist"] or "", stanzas, row["dataset"], held_out), 0))
    return found


def _stanzas(text: str) -> tuple[tuple[str, ...], ...]:
    stanzas = (tuple(line.strip() for line in stanza.split("\n") if line.strip()) for stanza in text.split("\n\n"))
    return tuple(stanza for stanza in stanzas if stanza)


def _hash(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)


def clean(
    verse: Iterable[tuple[Poem, float | None]],
    pronouncer: Pronouncer,
    plainness: Callable[[str], float],
    *,
    limit: int,
) -> Cleaned:
    """Keep the `limit` poems that are most like lyrics of today, after dropping what is not to be learned.

    That is: in plain words, short lines, and a voice that says I and you rather than he and they. `plainness` says how
    common a word is, smaller for commoner; it is called once per word.
    """
    dropped: Counter[str] = Counter()
    seen: set[str] = set()
    scored: list[tuple[float, int, Poem]] = []
    rarity: dict[str, float] = {}
    for poem, death in verse:
        if death is None or death != death or death > LAST_DEATH:
            dropped["author died after 1954, or it is not known when"] += 1
            continue
        poem = replace(poem, title=_clean_title(poem.title), stanzas=_clean_stanzas(poem.stanzas))
        lines = [line for stanza in poem.stanzas for line in stanza]
        words = [word for line in lines for word in re.findall(r"[a-z'-]+", line.lower())]
        reason = _fault(lines, words, pronouncer)
        keys = [" ".join(re.findall("[a-z]+", line.lower())) for line in lines]
        if reason is None and sum(key in seen for key in set(keys)) > 0.3 * len(set(keys)):
            reason = "lines that an earlier poem has"
        if reason is not None:
            dropped[reason] += 1
            continue
        seen.update(keys)
        for word in words:
            if word not in rarity:
                rarity[word] = plainness(word)
        score = sum(rarity[word] for word in words) / len(words) + _unlike_lyrics(lines, len(words))
        scored.append((score, len(scored), poem))
    scored.sort(key=lambda item: item[:2])
    dropped["less like lyrics than the poems kept"] = max(0, len(scored) - limit)
    return Cleaned(tuple(poem for _, _, poem in scored[:limit]), tuple(dropped.most_common()))


def _unlike_lyrics(lines: Sequence[str], num_words: int) -> float:
    """How far a poem is from what is sung: told of others, in long lines; on the scale of the logs of word ranks."""
    words = [set(re.findall(r"[a-z]+", line.lower())) for line in lines]
    ours = sum(not line.isdisjoint(_OURS) for line in words) / len(lines)
    theirs = sum(not line.isdisjoint(_THEIRS) for line in words) / len(lines)
    return 0.25 * theirs - 0.6 * min(ours, 0.6) + 0.06 * max(0.0, num_words / len(lines) - 6.5)


def _clean_title(title: str) -> str:
    words = re.sub(r"[^A-Za-z' -]", "", title.replace("’", "'")).split()
    if not 1 <= len(words) <= 6 or is_archaic(title):
        return ""
    return " ".join(words).title().replace("'S", "'s")


def _clean_stanzas(stanzas: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    kept = tuple(tuple(line for line in map(clean_line, stanza) if line) for stanza in stanzas)
    return tuple(stanza for stanza in kept if stanza)


def clean_line(line: str) -> str:
    """Write a line as lyrics are written today: plain quotes, commas, nothing at its end but "?" and "!".

    >>> clean_line("And O my heart; it beats—“so loud”,")
    'And Oh my heart, it beats, so loud'
    """
    for pattern, replacement in _MARKS:
        line = pattern.sub(replacement, line)
    line = _END_MARKS.sub("", line.strip())
    line = line.lstrip(" ,.-")
    return line[:1].upper() + line[1:]


def _fault(lines: Sequence[str], words: Sequence[str], pronouncer: Pronouncer) -> str | None:
    """Say why a poem is not to be learned; None if it is."""
    if len(lines) < 4 or len(words) < 16:
        return "too short"
    if sum(map(is_archaic, lines)) > _MOST_ARCHAIC * len(lines):
        return "diction of its time"
    if any(_SLURS.search(line.lower()) for line in lines):
        return "slurs, or words used as such"
    if sum(bool(re.match(r"[A-Z]\b(?! I\b)(?<![AIO])", line)) for line in lines) > 1:
        return "alphabets"
    if sum(not _PLAIN_LINE.match(line) for line in lines) > 0.05 * len(lines):
        return "other signs than those of lyrics"
    capitals = sum(len(re.findall(r" (?!I\b|Oh\b)[A-Z]", line)) for line in lines)
    if capitals > 0.25 * len(lines):
        return "many names, or capitals for stress"
    if sum(bool(_FAITH.search(line.lower())) for line in lines) > 0.12 * len(lines):
        return "prayers and sermons"
    unknown = sum(not pronouncer.knows(word) for word in set(words) if re.search("[a-z]", word))
    return "words that no dictionary has" if unknown > 0.02 * len(words) else None


def is_archaic(line: str) -> bool:
    """Whether a line has a word that no one sings today."""
    return any(
        word in _ARCHAIC or (_ARCHAIC_FORM.match(word) and word not in _ETH and word not in _D)
        for word in re.findall(r"[a-z'-]+", line.lower())
    )


def lessons(
    poems: Sequence[Poem],
    pronouncer: Pronouncer,
    *,
    seed: int,
    max_lines: int = 18,
    near: Callable[[str], Mapping[str, float]] | None = None,
) -> tuple[Lesson, ...]:
    """Turn poems into lessons, in a random order: pieces of whole stanzas with theme, title, mood and metre.

    `near` says how near words are to a text in meaning, in standard deviations: from the nearest ones of a lesson comes
    its theme. Without it that comes from the words that few other poems have.
    """
    frequency: Counter[str] = Counter()
    for poem in poems:
        frequency.update(_content(poem))
    found: list[Lesson] = []
    for poem in poems:
        random_for_poem = random.Random(f"{seed}/{poem.title}/{poem.stanzas[0][0]}")
        for stanzas in _windows(poem.stanzas, max_lines):
            lesson = _lesson(poem, stanzas, pronouncer, frequency, len(poems), near, random_for_poem)
            if lesson is not None:
                found.append(lesson)
    random.Random(seed).shuffle(found)
    return tuple(found)


def _windows(stanzas: Sequence[tuple[str, ...]], max_lines: int) -> list[tuple[tuple[str, ...], ...]]:
    windows: list[tuple[tuple[str, ...], ...]] = []
    current: tuple[tuple[str, ...], ...] = ()
    for stanza in stanzas:
        if current and sum(map(len, current)) + len(stanza) > max_lines:
            windows.append(current)
            current = ()
        current = (*current, stanza[:max_lines])
    return [window for window in [*windows, current] if sum(map(len, window)) >= 4]


def _content(poem: Poem) -> set[str]:
    text = " ".join(line for stanza in poem.stanzas for line in stanza).lower()
    return {word for word in re.findall(r"[a-z]{3,}", text) if not is_function_word(word)}


def _lesson(
    poem: Poem,
    stanzas: Sequence[tuple[str, ...]],
    pronouncer: Pronouncer,
    frequency: Counter[str],
    num_poems: int,
    near: Callable[[str], Mapping[str, float]] | None,
    source: random.Random,
) -> Lesson | None:
    try:
        lyrics = parse_lyrics("\n\n".join("\n".join(stanza) for stanza in stanzas), pronouncer)
    except LyricsError:
        return None
    sung = [line for section in lyrics.sections for line in section.lines]
    if not sung:
        return None
    counts = Counter(_key(line) for line in sung)
    lines: list[LessonLine] = []
    seen: set[str] = set()
    hook = poem.title.lower() if " " in poem.title else ""
    for section in lyrics.sections:
        repeats = sum(counts[_key(line)] > 1 for line in section.lines)
        titled = hook and any(hook in _key(line) for line in section.lines)
        refrain = len(lyrics.sections) > 1 and (repeats >= len(section.lines) / 2 or titled)
        role = Role.CHORUS if refrain else Role.VERSE
        for index, line in enumerate(section.lines):
            end_word = line.words[-1].text
            weak = end_word.lower() in _WEAK_ENDS
            plain = all(word.written == word.text and not word.backing for word in line.words)
            learned = (
                not weak
                and plain
                and _key(line) not in seen
                and 3 <= len(line.syllables) <= 14
                and not is_archaic(line.text)
            )
            seen.add(_key(line))
            lines.append(LessonLine(role, index == 0, len(line.syllables), end_word, line.text, learned))
    if sum(line.learned for line in lines) < 0.75 * len(lines):
        return None
    mood = find_mood(sung)
    metre = find_metre(sung)
    brief = prompt.Brief(
        theme=_theme(sung, frequency, num_poems, near, source) if source.random() < 0.9 else (),
        title=poem.title if source.random() < 0.5 else "",
        mood=prompt.mood_name(mood.valence, mood.energy) if source.random() < 0.7 else "",
        metre=metre.foot if metre.name != "mixed" and source.random() < 0.7 else "",
    )
    return Lesson(brief, tuple(lines), poem.held_out)


def _key(line: Line) -> str:
    return " ".join(word.text.lower() for word in line.words)


def _theme(
    sung: Sequence[Line],
    frequency: Counter[str],
    num_poems: int,
    near: Callable[[str], Mapping[str, float]] | None,
    source: random.Random,
) -> tuple[str, ...]:
    """Choose two to five of the words that tell what this song is about, in a random order."""
    counts = Counter(word.text.lower() for line in sung for word in line.words if word.content and len(word.text) > 2)
    counts = Counter({word: count for word, count in counts.items() if not is_function_word(word)})
    if near is not None:
        nearness = near(", ".join(line.text for line in sung[:8]))
        weights = {word: nearness[word] + 0.7 * log(count) for word, count in counts.items() if word in nearness}
    else:
        weights = {
            word: (1 + log(count)) * log(num_poems / frequency[word])
            for word, count in counts.items()
            if frequency[word] >= max(2, num_poems // 250)
        }
    best = sorted(weights, key=lambda word: (-weights[word], word))[:7]
    return tuple(source.sample(best, min(len(best), source.randint(2, 5))))


def pieces(
    lesson: Lesson, source: random.Random, *, end_word_weight: float = 0.3, open_ends: float = 0.3
) -> list[Piece]:
    """Write a lesson as pieces of the prompt: the loss falls on the lines, and a little on the words that they end on.

    A share `open_ends` of the cues does not say the end word.
    """
    found = [Piece(prompt.opening(lesson.brief), 0.0)]
    for line in lesson.lines:
        if line.starts_section:
            found.append(Piece(prompt.tag(line.role), 0.0))
        found.append(Piece(prompt.cue_number(line.num_syllables), 0.0))
        weight = 1.0 if line.learned else 0.0
        if source.random() < open_ends:
            found.append(Piece(prompt.cue_end(), 0.0))
        else:
            found.append(Piece(f" {line.end_word}", weight * end_word_weight))
            found.append(Piece(":", 0.0))
        found.append(Piece(prompt.written(line.text), weight))
    return [piece for piece in found if piece.text]
