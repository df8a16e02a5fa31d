import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lyrics.errors import RequestError
from lyrics.lm import carry_out
from lyrics.mood import find_mood
from lyrics.parse import parse_lyrics
from lyrics.prompt import cue_end
from lyrics.pronounce import Pronouncer
from lyrics.rhyme import RhymeKind, rhyme_kind
from lyrics.writing.habits import START, habit, read_habits
from lyrics.writing.hook import is_telling, theme_phrases, weakness
from lyrics.writing.images import plan_images
from lyrics.writing.line import Effort
from lyrics.writing.plan import check, lay_out, may_end
from lyrics.writing.request import Request, parse_form, resolve
from lyrics.writing.rewrite import _different, find_place, rewrite
from lyrics.writing.search import BEGINNING, LineSearch, Reluctance, Start, Vocabulary, fits_metre, sample
from lyrics.writing.voice import Voice
from lyrics.writing.words import closeness, colours_people, lexicon, rhymes_with, stem, sung_phrase
from lyrics.writing.writer import WrittenLyrics, write

QUICK = Effort(candidates=3, rounds=1, examined=2, ways=1, good=-99.0, fair=-99.0)
THEME = "leaving home by train at night"
RHYMES = (RhymeKind.PERFECT, RhymeKind.SLANT)


def fake_embed(texts: Sequence[str]) -> Any:
    """Numbers that depend on the text and on nothing else, in place of the sentence embeddings."""
    rows = [
        np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")).normal(size=384)
        for text in texts
    ]
    return (np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def model(tiny: Any) -> Any:
    from lyrics.lm import LanguageModel

    tokenizer = tiny.make_tokenizer()
    network = tiny.make_network(len(tokenizer), max_position_embeddings=8192)
    return LanguageModel(network, tokenizer, "tiny", adapted=True)


@pytest.fixture(autouse=True)
def _no_embedding_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lyrics.embedding.embed", fake_embed)


def check_kept(written: WrittenLyrics, request: Request) -> None:
    """Whatever the model says, the form, the syllables and the rhymes are those asked for."""
    plans = resolve(request, Pronouncer())
    parsed = parse_lyrics(written.text)
    assert [section.role for section in parsed.sections] == [plan.role for plan in plans]
    assert parsed.title == written.title
    for section, plan in zip(parsed.sections, plans, strict=True):
        assert tuple(len(line.syllables) for line in section.lines) == plan.syllables
        for letter in set(plan.scheme) - {"X"}:
            lines = [line for line, other in zip(section.lines, plan.scheme, strict=True) if other == letter]
            kinds = [rhyme_kind(first, second) for first, second in itertools.combinations(lines, 2)]
            assert kinds[0] in RHYMES
            assert RhymeKind.IDENTITY not in kinds
        if plan.repeats >= 0:
            assert section.lines == tuple(
                line.__class__(line.text, line.words, new.number)
                for line, new in zip(parsed.sections[plan.repeats].lines, section.lines, strict=True)
            )


@pytest.mark.parametrize(
    "options",
    [
        {"form": "V-C-C"},
        {"form": "V-C", "rhyme": "ABAB", "syllables": "8.6.8.6", "metre": "iambic"},
        {"form": "VPC", "rhyme": "AABB", "syllables": "7", "metre": "trochaic", "slant": False},
        {"form": "V-B", "rhyme": "none", "lines": "3", "syllables": "V:10,B:5", "explicit": True},
        {"form": "C", "title": "Midnight Train", "rhyme": "AAAA", "syllables": "6"},
        {"form": "V-C", "use": ("window", "orange"), "avoid": ("love", "the", "I"), "to": "Anna", "mood": "sad"},
        {"form": "O", "lines": "2", "syllables": "1", "rhyme": "AA"},
    ],
)
def test_constraints_hold_whatever_the_model_says(model: Any, options: dict[str, Any]) -> None:
    request = Request(THEME, **options)
    written = write(request, model, effort=QUICK)
    check_kept(written, request)
    words = [word for line in written.text.splitlines()[1:] for word in re.findall(r"[a-z']+", line.lower())]
    assert not any(map(request.avoids, words))
    for text in request.use:
        assert re.search(rf"\b{text}\b", written.text.lower().replace(",", ""))
    if request.title:
        assert written.sections[0].lines[0].text.lower().endswith(request.title.lower())
    if request.to:
        assert f"\n{request.to}, " in written.text


def test_constraints_hold_where_several_ways_are_kept(model: Any) -> None:
    request = Request(THEME, form="V-C", rhyme="V:AABB,C:XAXA", use=("window",))
    effort = replace(QUICK, ways=2)
    written = write(request, model, effort=effort)
    check_kept(written, request)
    assert written == write(request, model, effort=effort)


def test_the_same_seed_gives_the_same_words_and_another_one_others(model: Any) -> None:
    first, again, other = (write(Request(THEME, form="V", seed=seed), model, effort=QUICK) for seed in (1, 1, 2))
    assert first == again
    assert first.text != other.text


def test_ends_of_lines_are_content_words_and_never_come_twice(model: Any) -> None:
    written = write(Request(THEME, form="V-C-B"), model, effort=QUICK)
    lines = {line.text for section in written.sections for line in section.lines}  # the hook may come back whole
    ends = [line.split()[-1] for line in lines]
    known = {word.text: word for word in lexicon()}
    assert all(may_end(known[end]) for end in ends)
    assert len({stem(end) for end in ends}) == len(ends)


@pytest.mark.parametrize("seed", range(4))
def test_the_chorus_takes_its_hook_up_again(model: Any, seed: int) -> None:
    written = write(Request(THEME, form="C", syllables="8", seed=seed), model, effort=QUICK)
    hook, _, again, _ = (line.text.lower().replace(",", "").split() for line in written.sections[0].lines)
    assert again[:1] == hook[:1]


def test_the_hook_comes_back_whole_for_some_seeds_and_in_part_for_others(model: Any) -> None:
    whole = set()
    for seed in range(3):
        lines = write(Request(THEME, form="C", syllables="7", seed=seed), model, effort=QUICK).sections[0].lines
        whole.add(lines[0].text == lines[2].text)
    assert whole == {True, False}


def test_a_rhyming_hook_does_not_rhyme_with_itself(model: Any) -> None:
    written = write(Request(THEME, form="C", syllables="8", rhyme="ABAB"), model, effort=QUICK)
    assert written.sections[0].lines[0].text != written.sections[0].lines[2].text
    check_kept(written, Request(THEME, form="C", syllables="8", rhyme="ABAB"))


@pytest.mark.parametrize("rhyme", ["XAXA", "ABAB"])
def test_what_the_chorus_takes_up_says_something(model: Any, rhyme: str) -> None:
    for seed in range(3):
        lyric = write(Request(THEME, form="C", syllables="8", rhyme=rhyme, seed=seed), model, effort=QUICK)
        hook, _, again, _ = (line.text.lower().replace(",", "").split() for line in lyric.sections[0].lines)
        pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(hook, again, strict=False))
        shared = [first for first, _ in pairs]
        assert len(shared) < 2 or any(map(is_telling, shared))


def test_hooks_are_weak_that_are_vague() -> None:
    words = {word.text.lower(): word for word in lexicon()}
    strong, weak = ("leave the light on", "and then it was there")
    assert weakness([words[text] for text in strong.split()]) < weakness([words[text] for text in weak.split()])


def test_themes_give_phrases_that_fit() -> None:
    phrases = theme_phrases("running away with you", Pronouncer(), 6)
    assert [(phrase.text, phrase.num_syllables) for phrase in phrases] == [
        ("running away with you", 6),
        ("running away", 4),
    ]
    phrases = theme_phrases("the man who feeds the birds", Pronouncer(), 6)
    assert [phrase.text for phrase in phrases] == ["the man who feeds the birds"]
    assert theme_phrases("love", Pronouncer(), 8) == []
    assert theme_phrases("夜 and a ☂", Pronouncer(), 8) == []


def test_each_section_shows_images_of_its_own() -> None:
    words = lexicon()
    near = closeness(fake_embed([THEME])[0]) * 2
    expected = np.zeros(len(words), np.float32)
    plans = plan_images(words, near, expected, {"train"}, 3, np.random.default_rng(1))
    assert plans == plan_images(words, near, expected, {"train"}, 3, np.random.default_rng(1))
    stems = [stem(words[index].text) for plan in plans for index in plan]
    assert len(stems) == len(set(stems)) == 15
    assert not any(text.startswith("trai") for text in stems)
    assert plan_images(words, near * 0, expected, (), 2, np.random.default_rng(1)) == [[], []]


def test_a_phrase_leaves_its_words_free(model: Any) -> None:
    phrase = sung_phrase("by the river", Pronouncer())
    going_on = []
    for extra in ((), (phrase,)):
        vocabulary = Vocabulary([*lexicon(), *extra], model)
        search = LineSearch(vocabulary, 8, "free", [vocabulary.number["door"]])
        _, inside = vocabulary.nodes[vocabulary.number["by"]]
        going_on.append(search.options((1, inside, 2)).num_going_on)
    assert going_on[0] == going_on[1]


def test_no_line_has_what_the_writer_is_very_reluctant_to_write(model: Any) -> None:
    vocabulary = Vocabulary(lexicon(), model)
    search = LineSearch(vocabulary, 6, "free", [vocabulary.number[word] for word in ("door", "night", "train")])
    no_bias = np.zeros(model.num_tokens, np.float32)

    def lines(reluctance: dict[int, Reluctance]) -> list[list[str]]:
        starts = [Start(search, 24, tuple(model.encode(cue_end())))]
        prefix = model.read(None, "rain\n")
        source = np.random.default_rng(0)
        found = carry_out(sample(starts, model, prefix, source, 0.2, no_bias, reluctance=reluctance))
        return [[vocabulary.words[word].text for word in candidate.words] for candidate in found]

    first, second, *_ = lines({})[0]
    number = vocabulary.number[first.lower()]
    token = vocabulary.inside_tokens[vocabulary.number[second.lower()]][0]
    behind = {number: Reluctance.of({token: 99.0}, vocabulary)}
    assert not any([first, second] in map(list, itertools.pairwise(line)) for line in lines(behind))
    beginning = {BEGINNING: Reluctance.of({vocabulary.start_tokens[number][0]: 99.0}, vocabulary)}
    assert first not in {line[0] for line in lines(beginning)}


def test_habits_are_pairs_that_lines_can_have() -> None:
    words = {word.text.lower() for word in lexicon()} | {START}
    assert all(strength > 0 and {first, second} <= words for (first, second), strength in read_habits().items())
    assert habit(["i", "could"]) > habit(["an", "orchard", "gate"]) == 0


def test_moods_are_heard(model: Any) -> None:
    sad, happy = (
        find_mood(
            line
            for seed in range(4)
            for section in parse_lyrics(
                write(Request(THEME, form="V", mood=mood, seed=seed), model, effort=QUICK).text
            ).sections
            for line in section.lines
        ).valence
        for mood in ("sad", "happy")
    )
    assert sad < happy - 0.3


@pytest.mark.parametrize(
    ("theme", "before", "line", "drift"),
    [
        ("leaving home", "i was alone", "i am alone", 0.5),
        ("leaving home", "i was alone", "i heard him call", 1.0),
        ("leaving home", "i was alone", "my husband was there with me", 1.0),
        ("my father's boat", "i was alone", "he was my father", 0.0),
        ("leaving home", "she was alone", "i saw her go", 0.0),
        ("leaving home", "all night long", "i am alone", 0.0),
    ],
)
def test_strangers_and_jumps_in_time_are_drift(theme: str, before: str, line: str, drift: float) -> None:
    voice = Voice()
    voice.settle(re.findall("[a-z]+", theme))
    voice.new_section()
    voice.settle(before.split())
    assert voice.drift(line.split()) == drift


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("dream", "Dreams", True),
        ("walk", "walking", True),
        ("day's", "day", True),
        ("night", "light", False),
        ("spring", "spray", False),
        ("kiss", "kin", False),
        ("this", "thing", False),
        ("bed", "bad", False),
    ],
)
def test_forms_of_one_word_have_one_stem(first: str, second: str, same: bool) -> None:
    assert (stem(first) == stem(second)) is same


def test_progress_counts_lines(model: Any) -> None:
    seen: list[tuple[int, int]] = []
    write(Request(THEME, form="V-C-C"), model, effort=QUICK, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 8) for number in range(1, 9)]


# --- Requests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theme": "  "}, "theme is empty"),
        ({"theme": "love " * 5000}, "5,000 words"),
        ({"theme": "夜の電車で家を出る"}, "Latin letters"),
        ({"theme": "12345"}, "Latin letters"),
        ({"form": "V-K-C"}, "'k'"),
        ({"form": ""}, "form '' is empty"),
        ({"form": "V" * 40}, "at most 16"),
        ({"rhyme": "AB4"}, "does not parse"),
        ({"rhyme": "ABAB", "lines": "6"}, "4 lines and the verse 6"),
        ({"rhyme": "D:AABB"}, "does not parse at"),
        ({"form": "V", "rhyme": "C:AABB"}, "the form has none"),
        ({"syllables": "8,6"}, "do not parse"),
        ({"syllables": "0"}, "from 1 to 16"),
        ({"syllables": "8.6.8", "lines": "4"}, "3 lines and the verse 4"),
        ({"syllables": "1", "metre": "iambic"}, "cannot be iambic"),
        ({"lines": "many"}, "no number of lines"),
        ({"lines": "99"}, "from 1 to 16 lines"),
        ({"metre": "dactylic"}, "metre must be"),
        ({"mood": "blue"}, "mood must be"),
        ({"use": ("夜",)}, "Latin letters"),
        ({"use": ("rain",), "avoid": ("Rain",)}, "to be avoided"),
        ({"use": ("!!",)}, "no words to sing"),
        ({"use": tuple("sun moon star road".split()), "form": "V", "lines": "2", "rhyme": "none"}, "no line left"),
        ({"title": "The orange", "rhyme": "AABB"}, "rhymes with 'orange'"),
        ({"use": ("orange",), "rhyme": "AABB", "syllables": "2"}, "rhymes with 'orange'"),
        ({"title": "A title that is much too long for any line", "syllables": "6"}, "at most 6"),
        ({"title": "Alone", "metre": "trochaic", "syllables": "8"}, "no trochaic line of 8 syllables can end on"),
        ({"to": "Maximiliana Alexandrina", "syllables": "5"}, "no line has room"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(message)) as caught:
        check(Request(**({"theme": THEME} | options)))
    assert "\n" not in str(caught.value)


def test_choices_are_different_lines() -> None:
    ranked = ["the night was late", "the night was great", "a shadow on the lake", "the night was gray"]
    assert _different(ranked, 2) == ["the night was late", "a shadow on the lake"]
    assert _different(ranked, 3) == ["the night was late", "a shadow on the lake", "the night was great"]


def test_words_of_one_syllable_bend_to_the_metre_in_a_phrase_too() -> None:
    request = Request(theme=THEME, form="V", lines="2", syllables="7", metre="trochaic", use=("old dog",))
    slots = lay_out(request, resolve(request, Pronouncer()))
    assert [slot.inside.text for slot in slots if slot.inside] == ["old dog"]


@pytest.mark.parametrize(
    "form", ["V-C-V-C-B-C", "vcvcbc", "verse, chorus, verse, chorus, bridge, chorus", "V1-C-V2-C-B-C"]
)
def test_forms_are_read_in_many_ways(form: str) -> None:
    assert [role.value for role in parse_form(form)] == "verse chorus verse chorus bridge chorus".split()


def test_pre_chorus_is_read_by_name() -> None:
    assert [role.value for role in parse_form("verse-pre-chorus-chorus")] == ["verse", "pre-chorus", "chorus"]


def test_schemes_go_on_with_fresh_letters_and_choruses_repeat() -> None:
    plans = resolve(Request(THEME, form="V-C-C", rhyme="ABAB", lines="8"), Pronouncer())
    assert [plan.scheme for plan in plans] == ["ABABCDCD"] * 3
    assert [plan.repeats for plan in plans] == [-1, -1, 1]


def test_parallel_sections_match_in_syllables() -> None:
    for seed in range(5):
        verses = [plan for plan in resolve(Request(THEME, seed=seed), Pronouncer()) if plan.role == "verse"]
        assert verses[0].syllables == verses[1].syllables


def test_words_to_use_stand_inside_lines_of_different_verses() -> None:
    request = Request(THEME, use=("orange", "by the window", "rain"), rhyme="AABB", form="V-C-V")
    slots = lay_out(request, resolve(request, Pronouncer()))
    placed = {slot.inside.text: slot for slot in slots if slot.inside}
    assert set(placed) == {"orange", "by the window", "rain"}
    assert placed["orange"].section == 0
    assert placed["by the window"].section == 2
    assert all(slot.end is None and slot.opening is None for slot in placed.values())


def test_a_word_as_long_as_its_line_ends_it() -> None:
    request = Request(THEME, use=("umbrella",), rhyme="none", form="V", lines="2", syllables="3")
    slots = lay_out(request, resolve(request, Pronouncer()))
    assert [slot.end.text if slot.end else None for slot in slots] == ["umbrella", None]


# --- Words -------------------------------------------------------------------------------------------------------


def test_the_lexicon_is_of_today_and_said_by_the_dictionary() -> None:
    words = {word.text: word for word in lexicon()}
    assert {"train", "phone", "I'm", "tonight", "whispering"} <= set(words)
    assert not {"thou", "o'er", "maiden", "damn", "negro", "Browning"} & set(words)
    assert words["whispering"].num_syllables == 3
    assert words["tonight"].stress == "01"
    assert "damn" in {word.text for word in lexicon(explicit=True)}


def test_rhymes_are_those_of_the_dictionary() -> None:
    pronouncer = Pronouncer()
    night, light, time, line, knight = (
        sung_phrase(text, pronouncer) for text in "night light time line knight".split()
    )
    assert rhymes_with(night, light, slant=False) is RhymeKind.PERFECT
    assert rhymes_with(time, line, slant=True) is RhymeKind.SLANT
    assert rhymes_with(time, line, slant=False) is None
    assert rhymes_with(night, knight, slant=True) is None


@pytest.mark.parametrize(
    ("stress", "used", "metre", "fits"),
    [
        ("10", 1, "iambic", True),
        ("10", 0, "iambic", False),
        ("01", 0, "iambic", True),
        ("01", 0, "trochaic", False),
        ("100", 0, "trochaic", True),
        ("102", 1, "iambic", True),
        ("010", 1, "iambic", False),
        ("c", 0, "iambic", True),
        ("0101", 3, "free", True),
    ],
)
def test_longer_words_keep_the_metre(stress: str, used: int, metre: str, fits: bool) -> None:
    assert fits_metre(stress, used, metre) is fits


# --- Rewriting ---------------------------------------------------------------------------------------------------

LYRICS = (
    "Title: Home\r\n\r\n[Verse 1]\r\n  I packed my things and closed the door,  \r\nThe street was wet with rain;\r\n"
    "I could not stay here anymore\r\nSo I took the morning train.\r\n\r\n[Chorus]\r\nTake me home x2\r\n"
    "I am all alone\r\n\r\n[Chorus]\r\n"
)


def test_a_line_is_rewritten_and_all_else_stays(model: Any) -> None:
    choices = rewrite(LYRICS, model, Request("", seed=3), line="v1.2", choices=3, effort=QUICK)
    assert 1 <= len(choices) <= 3
    before = LYRICS.split("\r\n")
    for choice in choices:
        after = choice.text.split("\r\n")
        assert after[:4] + after[5:] == before[:4] + before[5:]
        assert after[4] == choice.lines[0] + ";"
        verse = parse_lyrics(choice.text).sections[0]
        assert len(verse.lines[1].syllables) == 6
        assert rhyme_kind(verse.lines[1], verse.lines[3]) in RHYMES


def test_blanks_and_repeat_marks_around_a_line_stay(model: Any) -> None:
    (first,) = rewrite(LYRICS, model, Request(""), line="v1.1", effort=QUICK)
    assert first.text.split("\r\n")[3] == f"  {first.lines[0]},  "
    (chorus,) = rewrite(LYRICS, model, Request("going away"), line="c1.1", effort=QUICK)
    assert chorus.text.split("\r\n")[9] == f"{chorus.lines[0]} x2"


def test_chords_around_a_line_stay(model: Any) -> None:
    text = LYRICS.replace("  I packed my", "C  G7\r\n  [C]I packed [G7]my").replace("door,  ", "door,[C] ")
    (choice,) = rewrite(text, model, Request("", seed=3), line="v1.1", effort=QUICK)
    before, after = text.split("\r\n"), choice.text.split("\r\n")
    assert after[:4] + after[5:] == before[:4] + before[5:]
    assert after[4] == f"  [C]{choice.lines[0]},[C] "


def test_a_section_is_rewritten_with_its_scheme(model: Any) -> None:
    old = parse_lyrics(LYRICS).sections[0]
    (choice,) = rewrite(LYRICS, model, Request(""), section="v1", effort=QUICK)
    new = parse_lyrics(choice.text).sections[0]
    assert [len(line.syllables) for line in new.lines] == [len(line.syllables) for line in old.lines]
    assert rhyme_kind(new.lines[0], new.lines[2]) in RHYMES
    assert rhyme_kind(new.lines[1], new.lines[3]) in RHYMES
    assert choice.text.split("\r\n")[7:] == LYRICS.split("\r\n")[7:]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"line": "v9.1"}, "the sections are v1, c1"),
        ({"line": "v1.9"}, "lines 1 to 4"),
        ({"line": "v1"}, "v1 is a section"),
        ({"section": "v1.2"}, "no 'v1.2'"),
        ({"section": "c2"}, "c2 repeats c1"),
    ],
)
def test_places_that_are_none_are_told(place: dict[str, str], message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(message)):
        find_place(parse_lyrics(LYRICS), **place)


def test_no_line_gives_people_a_colour(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert colours_people("and the people are all so white".split())
    assert not colours_people("the snow is white upon the hill".split())
    monkeypatch.setattr("lyrics.writing.line.colours_people", lambda texts: "the" in texts)
    written = write(Request(THEME, form="V"), model, effort=QUICK)
    lines = [line.text.lower() for section in written.sections for line in section.lines]
    assert not any("the" in re.findall("[a-z']+", line) for line in lines)
