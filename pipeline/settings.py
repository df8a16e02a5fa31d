"""What the user leaves open, chosen from the lyrics: title, style, metre, key, tempo and the range of the voice.

Every choice has a reason that can be told. What the user gives is kept as it is, or refused with a sentence that says
what would be fine. Giving one setting does not change the choice of another that does not depend on it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from align.meter import Meter
from lyrics.analysis import Outline
from lyrics.document import Lyrics, Role
from lyrics.function_words import is_function_word
from melody.theory import Chord, Key, spell
from pipeline.seeds import derived_seed

STYLES = ("popular", "folk", "hymn", "carol", "spiritual")
# Comfortable ranges of singers who have no training: narrower than the choral ranges of the books by a third or so.
VOICES: dict[str, tuple[int, int]] = {
    "soprano": (60, 79),  # C4-G5
    "mezzo": (57, 76),  # A3-E5
    "alto": (55, 74),  # G3-D5
    "tenor": (48, 67),  # C3-G4
    "baritone": (45, 64),  # A2-E4
    "bass": (40, 60),  # E2-C4
    "medium": (57, 74),  # A3-D5: women sing it as it stands, men an octave lower
}
LOWEST, HIGHEST = 21, 108  # the piano's keyboard
MIN_TEMPO, MAX_TEMPO = 30, 300  # quarter notes per minute
_DARK, _BRIGHT = -0.1, 0.15  # valence under which a song is in minor, and over which in major
_MINOR_SHARE = 0.3  # of the songs between
_LIVELY, _CALM = 0.28, -0.35  # energy; the words of half of the songs in the corpus lie between -0.33 and 0.27
_TRIPLE_FEET = ("anapestic", "dactylic")
_SACRED = 3  # different words of faith that make a stanzaic song a hymn, and of Christmas a carol
_MEAN_ENERGY = 0.0
# Quarter notes per minute at the mean energy, and how many more for a unit of energy.
# In 6/8, 96 is 64 dotted quarters a minute.
_TEMPO = {"4/4": (100, 26), "3/4": (110, 26), "2/4": (92, 22), "6/8": (98, 26), "12/8": (100, 26)}
# More quarter notes per minute for what a song is about, by its strongest theme.
_THEME_TEMPO = {"party": 8, "freedom": 4, "night": -4, "loss": -6}
_SLOWEST, _FASTEST = 60, 138
_TITLE_WORDS = 7
_MARKS = ',.;:!?()-–—"“”'
_MAX_FIFTHS = 4  # sharps or flats that a chosen key may have


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the stages after the lyrics need to know; `reasons` says why, by the name of the setting."""

    key: Key
    tempo_qpm: float
    meter: Meter
    style: str
    voice: str  # one of VOICES, or "custom" for a range that the user gave
    low: int  # MIDI pitches
    high: int
    title: str
    reasons: Mapping[str, str]


def choose_settings(
    lyrics: Lyrics,
    analysis: Outline,
    *,
    key: str | Key | None = None,
    tempo: float | None = None,
    meter: str | Meter | None = None,
    style: str | None = None,
    voice: str | None = None,
    voice_range: str | tuple[int, int] | None = None,
    chords: Sequence[Chord] = (),
    title: str | None = None,
    seed: int = 0,
) -> Settings:
    """Keep what is given and choose the rest; the same arguments give the same settings.

    `key` may be a mode alone ("minor"); with `chords` the key is theirs. Raises ValueError with one sentence for what
    makes no sense.
    """
    asked = "as asked"
    reasons: dict[str, str] = {}

    title, reasons["title"] = (title, asked) if title else _title(lyrics, analysis)

    if style is None:
        style, reasons["style"] = _style(lyrics, analysis)
    else:
        style, reasons["style"] = known("style", style, STYLES), asked

    if meter is None:
        meter, reasons["meter"] = _meter(lyrics, analysis, seed)
    else:
        meter, reasons["meter"] = Meter.parse(meter) if isinstance(meter, str) else meter, asked

    if voice_range is not None:
        if voice is not None:
            raise ValueError("give either a voice or a range, not both")
        low, high = parse_range(voice_range)
        voice, reasons["voice"] = "custom", asked
    elif voice is not None:
        voice, reasons["voice"] = known("voice", voice, tuple(VOICES)), asked
        low, high = VOICES[voice]
    else:
        voice, reasons["voice"] = "medium", "most people can sing it, men an octave lower"
        low, high = VOICES[voice]

    if key is None or (isinstance(key, str) and is_mode(key)):
        mode = key.strip().lower() if isinstance(key, str) else None
        if chords:
            key, reasons["key"] = _key_of_chords(chords, mode)
        else:
            key, reasons["key"] = _key(lyrics, analysis, low, high, style, seed, mode)
    else:
        key, reasons["key"] = Key.parse(key) if isinstance(key, str) else key, asked
    if chords:
        reasons["chords"] = asked + _strange_chords(chords, key)

    if tempo is None:
        tempo, reasons["tempo"] = _tempo(lyrics, analysis, meter, seed)
    else:
        tempo, reasons["tempo"] = _given_tempo(tempo), asked
    return Settings(key, tempo, meter, style, voice, low, high, title, reasons)


def is_mode(key: str) -> bool:
    """Return whether the text names a mode and no tonic: "minor"."""
    return key.strip().lower() in ("major", "minor")


def parse_range(text: str | tuple[int, int]) -> tuple[int, int]:
    """Read "C3-E4", or two MIDI numbers, as the lowest and highest pitch; ValueError for what nobody can sing.

    >>> parse_range("C3-E4")
    (48, 64)
    """
    if isinstance(text, str):
        match = re.fullmatch(r"\s*([A-Ga-g][#b♯♭]?-?\d+)\s*(?:-|–|—|to|\.\.)\s*([A-Ga-g][#b♯♭]?-?\d+)\s*", text)
        if match is None:
            raise ValueError(f"range must look like C3-E4, got {text!r}")
        low, high = (_pitch(name) for name in match.groups())
        name = text.strip()
    else:
        low, high = text
        name = f"{low}-{high}"
    if not (LOWEST <= low <= HIGHEST and LOWEST <= high <= HIGHEST):
        raise ValueError(f"range must lie within A0-C8 (MIDI 21-108), got {name}")
    if low >= high:
        raise ValueError(f"range must go from a lower note to a higher one, got {name}")
    if high - low < 12:
        raise ValueError(f"range must span an octave (12 semitones) or more, got {name}: {high - low}")
    return low, high


def _pitch(name: str) -> int:
    match = re.fullmatch(r"([A-G])([#b♯♭]?)(-?\d+)", name[0].upper() + name[1:])
    assert match is not None, name
    letter, accidental, octave = match.groups()
    natural = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[letter]
    return natural + {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[accidental] + 12 * (int(octave[:4]) + 1)


def known(what: str, value: str, choices: Sequence[str]) -> str:
    """Return the choice that a value names, however it is capitalised; ValueError if it names none."""
    name = value.strip().lower()
    if name not in choices:
        raise ValueError(f"{what} must be one of {', '.join(choices)}, got {value!r}")
    return name


def _given_tempo(tempo: float) -> float:
    if not (math.isfinite(tempo) and MIN_TEMPO <= tempo <= MAX_TEMPO):
        raise ValueError(f"tempo must be {MIN_TEMPO} to {MAX_TEMPO} quarter notes a minute, got {tempo:g}")
    return float(tempo)


def _share(seed: int, name: str, lyrics: Lyrics) -> float:
    """Return a number from 0 to 1 that belongs to one choice for these words: songs of one seed differ in key."""
    first = next((line.text for section in lyrics.sections for line in section.lines), "")
    return derived_seed(seed, f"settings.{name}/{first}") / 2**64


def _title(lyrics: Lyrics, analysis: Outline) -> tuple[str, str]:
    """Name a song by its own title, else by the line sung most often, else by its first words."""
    if lyrics.title:
        return lyrics.title, "as the lyrics say"
    if analysis.hook is not None:
        return _short(analysis.hook.text), "the line sung most often"
    line = next((line.text for section in lyrics.sections for line in section.lines), "")
    return _short(line), "the first words"


def _short(line: str) -> str:
    """Cut a line to a title of at most seven words, which ends at a comma or on a word with a meaning."""
    words = line.split()
    if len(words) > _TITLE_WORDS:
        words = words[:_TITLE_WORDS]
        stops = [index for index, word in enumerate(words, 1) if index >= 2 and word[-1] in ",.;:!?—–"]
        if stops:
            words = words[: stops[-1]]
        while len(words) > 1 and is_function_word(words[-1].strip(_MARKS)):
            words.pop()
    return " ".join(words).strip(_MARKS + " ") or "Untitled"


def _style(lyrics: Lyrics, analysis: Outline) -> tuple[str, str]:
    refrains = {Role.CHORUS: "chorus", Role.HOOK: "hook", Role.PRE_CHORUS: "pre-chorus", Role.BRIDGE: "bridge"}
    for section in lyrics.sections:
        if section.tagged and section.role in refrains:
            return "popular", f"the lyrics have a {refrains[section.role]}"
    verses = [section for section in analysis.sections if section.lines and section.repeat_of is None]
    strophic = len(verses) > 1 and all(section.role is Role.VERSE for section in verses)
    iambic = sum(section.foot == "iambic" for section in verses) > len(verses) / 2
    first = analysis.themes[0] if analysis.themes else None
    if strophic and first is not None and len(first.words) >= _SACRED:
        if first.name == "faith":
            return "hymn", f"verses without a chorus about {_listed(first.words)}"
        if first.name == "christmas":
            return "carol", f"verses without a chorus about {_listed(first.words)}"
    if strophic and iambic:
        return "folk", "verses without a chorus, in an iambic metre"
    return "folk", "no section is tagged as a chorus"


def _meter(lyrics: Lyrics, analysis: Outline, seed: int) -> tuple[Meter, str]:
    """Triple feet (anapests, dactyls) ask for a triple metre, all others go into 4/4.

    Sections vote with their syllables and with how well their foot fits.
    """
    votes: dict[str, float] = {}
    for section in analysis.sections:
        if section.foot is not None and section.repeat_of is None:
            weight = section.fit * sum(line.num_syllables for line in section.lines)
            votes[section.foot] = votes.get(section.foot, 0.0) + weight
    total = sum(votes.values())
    triple = sum(votes.get(foot, 0.0) for foot in _TRIPLE_FEET)
    if not total:
        return Meter(4, 4), "the lines have no regular metre"
    if triple > total / 2:
        foot = max(_TRIPLE_FEET, key=lambda foot: votes.get(foot, 0.0))
        reason = f"most lines are {foot}: one stress in three syllables"
        # Compound time rocks along, three beats stand more calmly.
        lively = _share(seed, "meter", lyrics) < 0.65 + 0.3 * analysis.mood.energy
        return (Meter(6, 8) if lively else Meter(3, 4)), reason
    foot = max((foot for foot in votes if foot not in _TRIPLE_FEET), key=lambda foot: votes[foot])
    return Meter(4, 4), f"most lines are {foot}: one stress in two syllables"


def _key(
    lyrics: Lyrics, analysis: Outline, low: int, high: int, style: str, seed: int, mode: str | None
) -> tuple[Key, str]:
    """Choose a tonic that lies well in the voice, and the mode by the mood of the words if none is given."""
    mood = analysis.mood
    if mode is not None:
        why = f"{mode} as asked"
    elif mood.valence < _DARK:
        mode, why = "minor", f"minor because the words are dark{_examples(analysis, -1)}"
    elif mood.valence > _BRIGHT:
        mode, why = "major", f"major because the words are bright{_examples(analysis, 1)}"
    else:
        mode = "minor" if _share(seed, "mode", lyrics) < _MINOR_SHARE else "major"
        why = f"{mode} suits words that are neither dark nor bright"
    # A melody lies around its tonic (a fourth under it to a sixth over it) or between two tonics; the keys that put
    # the middle of one of these within two semitones of the middle of the voice are handy, plain ones more so.
    middle = (low + high) / 2
    odds: list[tuple[Key, float]] = []
    for tonic in range(12):
        key = Key(tonic, mode)
        if abs(key.fifths) > _MAX_FIFTHS:
            continue
        off = min(abs((tonic + centre - middle + 6) % 12 - 6) for centre in (2, 6))
        plain = 1.0 if style in ("hymn", "carol") else 1.0 if key.fifths >= -1 else 0.5  # guitars like sharps
        odds.append((key, math.exp(-0.4 * off - 0.2 * abs(key.fifths)) * plain if off <= 2 else 0.0))
    mark = _share(seed, "key", lyrics) * sum(weight for _, weight in odds)
    chosen = odds[0][0]
    for key, weight in odds:
        if weight:
            chosen = key
            mark -= weight
            if mark < 0:
                break
    return chosen, f"{why}; {spell(chosen.tonic, chosen.fifths)} suits the voice"


def _key_of_chords(chords: Sequence[Chord], mode: str | None) -> tuple[Key, str]:
    from melody.chord_model import key_of_chords

    return key_of_chords(chords, mode), "the key of the chords" + (f", {mode} as asked" if mode else "")


def _strange_chords(chords: Sequence[Chord], key: Key) -> str:
    """Name the chords that are strange to a key: more than one of their tones lies outside it."""
    from melody.chord_model import num_outside

    strange = [chord.symbol(key.fifths) for chord in dict.fromkeys(chords) if num_outside(chord, key) > 1]
    return f"; {', '.join(strange)} strange to {key}" if strange else ""


def _tempo(lyrics: Lyrics, analysis: Outline, meter: Meter, seed: int) -> tuple[float, str]:
    energy = analysis.mood.energy
    base, gain = _TEMPO[str(meter)]
    theme = analysis.themes[0] if analysis.themes else None
    shift = _THEME_TEMPO.get(theme.name, 0) if theme else 0
    qpm = base + gain * (energy - _MEAN_ENERGY) + shift + 8 * (_share(seed, "tempo", lyrics) - 0.5)
    step = 3 if meter.denominator == 8 else 2  # a whole number of felt beats a minute, dotted quarters in 6/8
    tempo = float(step * round(min(max(qpm, _SLOWEST), _FASTEST) / step))
    about = f"; {'faster' if shift > 0 else 'slower'} for its theme, {theme.name}" if theme and shift else ""
    if energy > _LIVELY:
        return tempo, f"the words are lively{_examples(analysis, 1, energy=True)}{about}"
    if energy < _CALM:
        return tempo, f"the words are calm{_examples(analysis, -1, energy=True)}{about}"
    return tempo, f"the words are neither calm nor excited{about}"


def _examples(analysis: Outline, sign: int, *, energy: bool = False) -> str:
    """Name up to three words that carry the mood most: " (alone, cold)"."""
    ranked = [
        (word.count * sign * (word.energy if energy else word.valence), word.word) for word in analysis.mood.words
    ]
    names = [name for weight, name in sorted(ranked, key=lambda pair: (-pair[0], pair[1])) if weight > 0][:3]
    return f" ({', '.join(names)})" if names else ""


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(words[:2])
