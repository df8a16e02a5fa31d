"""Laws of the rhythm search: what must hold for every lyric, metre, style and seed."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from align.critic import describe, load_critic
from align.meter import GRID, Meter
from align.rhythm import LineRhythm, Rhythm
from align.search import SearchConfig, align_lyrics, fitted_config, score_meter, stretches_of
from lyrics.document import Line, Lyrics, Role, Section, Syllable, Word

METERS = [Meter(4, 4), Meter(3, 4), Meter(2, 4), Meter(6, 8), Meter(12, 8)]
FUNCTION_WORDS = {"the", "a", "and", "of", "to", "i", "my", "in", "was", "it", "be", "for", "you", "when", "all", "on"}

# Stress patterns by hand: these tests look at the search, not at pronunciation.
PATTERNS = {
    "river": "10", "morning": "10", "letters": "10", "never": "10", "every": "10", "drifting": "10", "quiet": "10",
    "water": "10", "places": "10", "along": "01", "away": "01", "remember": "010", "beautiful": "100",
    "understand": "201", "begin": "01", "window": "10", "nobody": "120", "carry": "10", "over": "10", "silver": "10",
    "blinded": "10",
}  # fmt: skip


def word(text: str, stresses: str | None = None, suffix: str = "") -> Word:
    bare = text.lower()
    pattern = stresses or PATTERNS.get(bare, "1")
    cuts = [round(i * len(text) / len(pattern)) for i in range(len(pattern) + 1)]
    syllables = tuple(
        Syllable(text[a:b], (f"AH{stress}",), int(stress))
        for a, b, stress in zip(cuts, cuts[1:], pattern, strict=False)
    )
    return Word(text, text, 0, syllables, bare not in FUNCTION_WORDS, suffix=suffix)


def line(text: str) -> Line:
    words = []
    for token in text.split():
        bare = token.rstrip(",.;!?")
        words.append(word(bare, suffix=token[len(bare) :]))
    return Line(text, tuple(words), 1)


def section(name: str, role: Role, texts: Sequence[str], repeat_of: str | None = None) -> Section:
    return Section(name, role, name, tuple(line(text) for text in texts), repeat_of=repeat_of)


VERSE_1 = [
    "I walked along the river when the morning light was low,",
    "The water sang a quiet song of places it would go;",
    "I thought of all the letters that I never dared to send,",
    "And every word I left alone came drifting round the bend.",
]
VERSE_2 = [
    "I built along the window when the quiet day was done,",
    "The letters lay in silver light and blinded in the sun;",
    "I read of all the places that I never came to see,",
    "And every word I left alone came drifting back to me.",
]
CHORUS = ["Carry me river, carry me home,", "Over the stones and the silver foam;", "Oh", "Carry me home."]


def song() -> Lyrics:
    return Lyrics(
        (
            section("i1", Role.INTRO, []),
            section("v1", Role.VERSE, VERSE_1),
            section("c1", Role.CHORUS, CHORUS),
            section("v2", Role.VERSE, VERSE_2),
            section("c2", Role.CHORUS, CHORUS, repeat_of="c1"),
            section("s1", Role.INSTRUMENTAL, []),
            section("o1", Role.OUTRO, ["Carry me home.", "Carry me river"]),
        )
    )


def seeds_for(lyrics: Lyrics, seed: int = 0) -> dict[str, int]:
    return {
        f"{part.id}.{number}": seed * 7919 + 101 * index + number
        for index, part in enumerate(lyrics.sections)
        for number in range(1, len(part.lines) + 1)
    }


def relative(rhythm: Rhythm, index: int) -> tuple[tuple[int, int, int, bool], ...]:
    """A line's notes counted from its first bar line."""
    sung: LineRhythm = rhythm.lines[index]
    bar = rhythm.meter.bar_ticks
    first = sung.notes[0].onset
    bar_line = first + -(first - rhythm.pickup) % bar if rhythm.place(first) >= bar / 2 else first - rhythm.place(first)
    return tuple((note.onset - bar_line, note.duration, note.syllable, note.held) for note in sung.notes)


def check_laws(lyrics: Lyrics, rhythm: Rhythm) -> None:
    places = [(s, n) for s, part in enumerate(lyrics.sections) for n in range(len(part.lines))]
    assert [(sung.section, sung.line) for sung in rhythm.lines] == places
    for before, after in pairwise(rhythm.lines):
        assert before.end <= after.start
    for part, span in zip(lyrics.sections, rhythm.sections, strict=True):
        assert (span.start - rhythm.pickup) % rhythm.meter.bar_ticks == 0
        assert span.end > span.start or not part.lines
    assert all(a.end == b.start for a, b in pairwise(rhythm.sections))
    assert rhythm.end == rhythm.sections[-1].end
    assert (rhythm.end - rhythm.pickup) % rhythm.meter.bar_ticks == 0
    for index, sung in enumerate(rhythm.lines):
        check_line(lyrics.sections[sung.section].lines[sung.line], sung)
        assert sung.follows is None or sung.follows < index


def check_line(written: Line, sung: LineRhythm) -> None:
    new = [note.syllable for note in sung.notes if not note.held]
    assert new == list(range(len(written.syllables)))
    first_of_word = {0}
    for each in written.words:
        first_of_word.add(max(first_of_word) + len(each.syllables))
    for before, after in pairwise(sung.notes):
        end = before.onset + before.duration
        assert end <= after.onset
        if after.held or after.syllable not in first_of_word:
            assert end == after.onset, "a rest inside a word"
        if after.held:
            assert after.syllable == before.syllable
    for note in sung.notes:
        assert note.duration > 0
        assert note.onset % GRID == 0
        assert note.duration % GRID == 0
    counts = [sum(note.syllable == i for note in sung.notes) for i in range(len(written.syllables))]
    assert max(counts) <= 3
    assert sung.start <= sung.notes[0].onset
    assert sung.notes[-1].onset + sung.notes[-1].duration <= sung.end


@pytest.mark.parametrize("meter", METERS, ids=str)
@pytest.mark.parametrize("style", ["popular", "folk", "hymn", "carol", "spiritual"])
def test_every_syllable_is_sung_once_in_order_in_its_own_time(meter: Meter, style: str) -> None:
    lyrics = song()
    check_laws(lyrics, align_lyrics(lyrics, meter, style, seeds_for(lyrics)))


def shares_of_rests(style: str) -> list[float]:
    """For some songs, the share of lines with a rest before the next line."""
    found = []
    for seed in range(12):
        lines = align_lyrics(song(), Meter(4, 4), style, seeds_for(song(), seed)).lines
        rests = [
            after.notes[0].onset > before.notes[-1].onset + before.notes[-1].duration
            for before, after in pairwise(lines)
            if before.section == after.section
        ]
        found.append(float(np.mean(rests)))
    return found


def test_breaths_are_mostly_left_to_the_singer_and_songs_differ_in_it() -> None:
    hymns, spirituals = shares_of_rests("hymn"), shares_of_rests("spiritual")
    assert np.mean(hymns) < 0.3
    assert np.mean(spirituals) > np.mean(hymns) + 0.1
    assert min(hymns + spirituals) < 0.1
    assert max(hymns + spirituals) > 0.6


def test_a_song_keeps_its_manner_of_rhythm() -> None:
    # The rhythm of a bar comes back in the song more often than it does in other songs.
    within, between = [], []
    bars = [bar_rhythms(seed) for seed in range(16)]
    for number, mine in enumerate(bars):
        other = bars[(number + 1) % len(bars)]
        within.append(np.mean([a == b for i, a in enumerate(mine) for b in mine[:i]]))
        between.append(np.mean([a == b for a in mine for b in other]))
    assert np.mean(within) > 1.2 * np.mean(between)


def test_a_song_can_go_on_in_the_rhythms_that_it_has_had() -> None:
    known = []
    for weight in (5.0, 0.0):
        weights = (weight,) * len(fitted_config().own)
        config = replace(fitted_config(), own=weights, returning=weights, own_spread=0.0, returning_spread=0.0)
        bars = [bar_rhythms(seed, config, Meter(4, 4), num_lines=8) for seed in range(12)]
        known.append(sum(len(rhythms) - len(set(rhythms)) for rhythms in bars))
    assert known[0] > 1.08 * known[1], known


def bar_rhythms(
    seed: int, config: SearchConfig | None = None, meter: Meter = METERS[1], num_lines: int = 4
) -> list[tuple[int, ...]]:
    rhythm = align_lyrics(song(), meter, "folk", seeds_for(song(), seed), config=config)
    bars: dict[int, list[int]] = {}
    for sung in rhythm.lines[:num_lines]:
        for note in sung.notes:
            bars.setdefault((note.onset - rhythm.pickup) // rhythm.meter.bar_ticks, []).append(rhythm.place(note.onset))
    return [tuple(bar) for bar in bars.values()]


def test_of_several_beginnings_the_critic_chooses_the_one_most_like_peoples() -> None:
    lyrics = Lyrics((section("v1", Role.VERSE, VERSE_1 + VERSE_2),))
    differ = 0
    for seed in range(4):
        likeness = []
        for trials in (1, 4):
            config = replace(fitted_config(), trials=trials)
            rhythm = align_lyrics(lyrics, Meter(4, 4), "folk", seeds_for(lyrics, seed), config=config)
            stretches = stretches_of(rhythm)
            likeness.append(load_critic().judge([describe(one, rhythm.meter, "folk") for one in stretches]))
        assert likeness[1] >= likeness[0]
        differ += likeness[1] > likeness[0]
    assert differ


def test_repeated_sections_repeat_exactly() -> None:
    rhythm = align_lyrics(song(), Meter(4, 4), "folk", seeds_for(song()))
    for index in range(4):
        assert relative(rhythm, 4 + index) == relative(rhythm, 12 + index)
        assert rhythm.lines[12 + index].follows == 4 + index


def test_identical_lines_have_identical_rhythm_wherever_they_stand() -> None:
    rhythm = align_lyrics(song(), Meter(3, 4), "folk", seeds_for(song()))
    assert relative(rhythm, 7) == relative(rhythm, 16)  # "Carry me home." in chorus and outro


def test_parallel_lines_with_the_same_syllables_and_stress_share_their_rhythm() -> None:
    rhythm = align_lyrics(song(), Meter(4, 4), "popular", seeds_for(song()))
    for index in range(4):
        assert relative(rhythm, index) == relative(rhythm, 8 + index)
        assert rhythm.lines[8 + index].follows is not None


def test_same_seeds_give_the_same_rhythm() -> None:
    first = align_lyrics(song(), Meter(6, 8), "popular", seeds_for(song(), 3))
    assert align_lyrics(song(), Meter(6, 8), "popular", seeds_for(song(), 3)) == first


def test_other_seeds_give_another_rhythm() -> None:
    rhythms = {align_lyrics(song(), Meter(4, 4), "popular", seeds_for(song(), seed)) for seed in range(6)}
    assert len(rhythms) == 6


def test_stressed_syllables_are_stronger_than_their_unstressed_neighbours() -> None:
    lyrics = song()
    stronger = total = 0
    for meter in METERS:
        for seed in range(4):
            rhythm = align_lyrics(lyrics, meter, "popular", seeds_for(lyrics, seed))
            for sung in rhythm.lines:
                syllables = lyrics.sections[sung.section].lines[sung.line].syllables
                strengths = [rhythm.strength(note.onset) for note in sung.notes if not note.held]
                index = 0
                for each in lyrics.sections[sung.section].lines[sung.line].words:
                    for i in range(index, index + len(each.syllables) - 1):
                        a, b = syllables[i].stress, syllables[i + 1].stress
                        if {a, b} == {0, 1}:
                            total += 1
                            stronger += (strengths[i] > strengths[i + 1]) == (a == 1)
                    index += len(each.syllables)
    assert stronger / total >= 0.95


def test_long_notes_fall_on_line_ends() -> None:
    lyrics = song()
    last: list[int] = []
    other: list[int] = []
    for seed in range(4):
        for sung in align_lyrics(lyrics, Meter(4, 4), "popular", seeds_for(lyrics, seed)).lines:
            last.append(sung.notes[-1].duration)
            other.extend(note.duration for note in sung.notes[:-1])
    assert 1.5 <= np.median(last) / np.median(other) <= 4


@pytest.mark.parametrize("meter", METERS, ids=str)
def test_a_very_long_line_gets_more_bars_and_no_crush(meter: Meter) -> None:
    texts = [" ".join(["river"] * 60), "la", " ".join(["remember the morning,"] * 12)]
    lyrics = Lyrics((section("v1", Role.VERSE, texts),))
    rhythm = align_lyrics(lyrics, meter, "popular", seeds_for(lyrics))
    check_laws(lyrics, rhythm)
    for sung in rhythm.lines:
        fast = sum(note.duration < 240 for note in sung.notes)
        assert fast <= 0.35 * len(sung.notes)


@pytest.mark.parametrize("meter", METERS, ids=str)
def test_one_word_is_held_over_a_beat_or_more_without_bars_of_silence(meter: Meter) -> None:
    lyrics = Lyrics((section("h1", Role.HOOK, ["Stay"]),))
    rhythm = align_lyrics(lyrics, meter, "popular", seeds_for(lyrics))
    check_laws(lyrics, rhythm)
    assert sum(note.duration for note in rhythm.lines[0].notes) >= 480
    assert rhythm.end <= 2 * 1920 + rhythm.pickup + meter.bar_ticks


def test_a_word_longer_than_a_phrase_is_sung_without_a_rest() -> None:
    monster = Line("x", (word("la" * 20, "10" * 10 + "00" * 10), word("la")), 1)
    lyrics = Lyrics((Section("v1", Role.VERSE, "v1", (monster,)),))
    check_laws(lyrics, align_lyrics(lyrics, Meter(4, 4), "popular", seeds_for(lyrics)))


def test_a_song_that_begins_with_a_pick_up_has_a_short_first_bar() -> None:
    lyrics = Lyrics((section("v1", Role.VERSE, VERSE_1),))
    rhythm = align_lyrics(lyrics, Meter(4, 4), "hymn", seeds_for(lyrics))
    assert 0 < rhythm.pickup < 1920
    assert rhythm.pickup % 480 == 0
    assert rhythm.lines[0].notes[0].onset < rhythm.pickup
    assert rhythm.sections[0].start == rhythm.pickup


def test_sections_without_lines_last_four_or_eight_bars() -> None:
    rhythm = align_lyrics(song(), Meter(3, 4), "popular", seeds_for(song()))
    lengths = [(span.end - span.start) // 1440 for span in rhythm.sections]
    assert lengths[0] == 4
    assert lengths[5] == 8


def test_lyrics_without_any_line_give_no_notes() -> None:
    lyrics = Lyrics((section("i1", Role.INTRO, []),))
    rhythm = align_lyrics(lyrics, Meter(4, 4), "popular", {})
    assert rhythm.lines == ()
    assert rhythm.end == 4 * 1920


def test_an_unknown_style_is_an_error() -> None:
    with pytest.raises(ValueError, match="style must be one of popular"):
        align_lyrics(song(), Meter(4, 4), "polka", seeds_for(song()))


def test_dactyls_fall_into_three_better_than_iambs_do() -> None:
    dactyls = Lyrics((section("v1", Role.VERSE, ["Over the silver and over the morning", "Carry the letters"]),))
    iambs = Lyrics((section("v1", Role.VERSE, ["The quiet water sang along the day", "I walked away"]),))

    def lift(lyrics: Lyrics) -> float:
        return score_meter(lyrics, Meter(3, 4), "folk") - score_meter(lyrics, Meter(4, 4), "folk")

    assert lift(dactyls) > lift(iambs)


WORDS = st.tuples(
    st.sampled_from(["1", "0", "10", "01", "100", "010", "201", "1020", "02010", "000"]),
    st.booleans(),
    st.sampled_from(["", "", "", ",", "."]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    stanzas=st.lists(
        st.lists(st.lists(WORDS, min_size=1, max_size=12), min_size=1, max_size=4), min_size=1, max_size=3
    ),
    meter=st.sampled_from(METERS),
    style=st.sampled_from(["popular", "hymn", "spiritual"]),
    seed=st.integers(0, 2**32),
)
def test_the_laws_hold_for_random_stress_patterns(
    stanzas: list[list[list[tuple[str, bool, str]]]], meter: Meter, style: str, seed: int
) -> None:
    sections = []
    for index, stanza in enumerate(stanzas):
        lines = []
        for number, words in enumerate(stanza):
            made = tuple(
                replace(word("lalalalala"[: 2 * len(pattern)], pattern, suffix), content=content)
                for pattern, content, suffix in words
            )
            lines.append(Line(f"{index}.{number}", made, number + 1))
        sections.append(Section(f"v{index + 1}", Role.VERSE, f"Verse {index + 1}", tuple(lines)))
    lyrics = Lyrics(tuple(sections))
    check_laws(lyrics, align_lyrics(lyrics, meter, style, seeds_for(lyrics, seed)))
