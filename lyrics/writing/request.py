"""What a lyric is asked to be, checked before any model is loaded: form, lines, syllables, rhyme, metre, words.

A request is written as a songwriter would type it (`Request`) and resolved into sections whose every line has its
number of syllables and its letter in the rhyme scheme (`resolve`). What contradicts itself is refused here, in one
sentence that says the way out.
"""

import random
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from lyrics.document import Role
from lyrics.errors import RequestError
from lyrics.prompt import MOODS
from lyrics.pronounce import Pronouncer, UnpronounceableError
from lyrics.writing.search import METRES

UNRHYMED = "X"
MAX_THEME_WORDS = 60
MAX_LINES = 16  # of a section
MAX_SYLLABLES = 16  # of a line
MAX_SECTIONS = 16

_ROLES = {
    "v": Role.VERSE,
    "c": Role.CHORUS,
    "p": Role.PRE_CHORUS,
    "pc": Role.PRE_CHORUS,
    "b": Role.BRIDGE,
    "h": Role.HOOK,
    "i": Role.INTRO,
    "o": Role.OUTRO,
}
_NAMES = _ROLES | {role.value: role for role in _ROLES.values()} | {"prechorus": Role.PRE_CHORUS}
_REPEATED = (Role.CHORUS, Role.PRE_CHORUS, Role.HOOK)  # the same words each time
# Lines, syllables and rhymes of a section for which nothing is asked. Of several patterns the seed chooses one.
_NUM_LINES = {Role.PRE_CHORUS: 2, Role.HOOK: 2, Role.INTRO: 2, Role.OUTRO: 2}
_PATTERNS = {
    Role.VERSE: ((8, 6, 8, 6), (8, 7, 8, 7), (8, 8, 8, 8), (9, 8, 9, 8)),
    Role.CHORUS: ((7, 7, 7, 7), (8, 8, 8, 8), (6, 7, 6, 7), (8, 6, 8, 6)),
    Role.BRIDGE: ((6, 6, 6, 6), (7, 6, 7, 6), (8, 8, 8, 8)),
    Role.PRE_CHORUS: ((7, 7), (8, 8)),
}


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, as typed."""

    theme: str
    form: str = "V-C-V-C-B-C"
    lines: str = ""  # "4", or by section "V:8,C:4"
    syllables: str = "natural"  # "8", "8.6.8.6", or by section "V:8.6.8.6,C:7"
    rhyme: str = ""  # "ABAB", "none", or by section "V:ABAB,C:AABB"
    metre: str = "free"
    title: str = ""
    mood: str = ""
    use: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    to: str = ""  # whom the song addresses
    explicit: bool = False
    slant: bool = True  # whether slant rhymes may stand in for perfect ones
    seed: int = 0

    def avoids(self, word: str) -> bool:
        """Whether a word must not occur, as it stands or before an apostrophe: with "river" "river's" is avoided, too.

        >>> request = Request("home", avoid=("I", "River"))
        >>> [request.avoids(word) for word in ("river", "River's", "I'm", "rivers")]
        [True, True, True, False]
        """
        text = word.lower().replace("’", "'")
        return any(avoided.lower() in (text, text.partition("'")[0]) for avoided in self.avoid)


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """A section to write, or to repeat."""

    role: Role
    syllables: tuple[int, ...]  # of each line
    scheme: str  # a letter for each line, X for unrhymed ones
    repeats: int = -1  # position in the form of the section whose words it repeats; -1: its own


def resolve(request: Request, pronouncer: Pronouncer) -> tuple[SectionPlan, ...]:
    """Check a request and lay out its sections. Raises RequestError for what makes no sense or contradicts itself."""
    _check_words(request, pronouncer)
    roles = parse_form(request.form)
    lines, syllables, rhymes = (
        _by_role(option, getattr(request, option), roles) for option in ("lines", "syllables", "rhyme")
    )
    chance = random.Random(request.seed)
    plans: dict[Role, SectionPlan] = {}
    made: list[SectionPlan] = []
    for role in roles:
        if role not in plans:
            plans[role] = _section(
                role, lines.get(role, ""), syllables.get(role, ""), rhymes.get(role, ""), request, chance
            )
        first = next((index for index, plan in enumerate(made) if plan.role is role), -1)
        plan = plans[role]
        made.append(SectionPlan(role, plan.syllables, plan.scheme, first if role in _REPEATED else -1))
    return tuple(made)


def parse_form(form: str) -> tuple[Role, ...]:
    """Read "V-C-V-C-B-C" (or names, and blanks or commas between). Raises RequestError.

    >>> [role.value for role in parse_form("V-C")]
    ['verse', 'chorus']
    """
    parts = [
        part for part in re.split(r"[\s,–—>-]+", re.sub(r"pre[- ]?chorus", "prechorus", form.strip().lower())) if part
    ]
    if len(parts) == 1 and parts[0] not in _NAMES and re.fullmatch("[vcpbhio]+", parts[0]):
        parts = list(parts[0])
    unknown = next((part for part in parts if part.rstrip("0123456789") not in _NAMES), None)
    if unknown is not None or not parts:
        what = f"has {unknown!r}" if unknown else "is empty"
        raise RequestError(
            f"the form {form!r} {what}; write letters with hyphens, as in V-C-V-C-B-C: V verse, C chorus, "
            "P pre-chorus, B bridge, H hook, I intro, O outro"
        )
    if len(parts) > MAX_SECTIONS:
        raise RequestError(f"the form has {len(parts)} sections; use at most {MAX_SECTIONS}")
    return tuple(_NAMES[part.rstrip("0123456789")] for part in parts)


def _by_role(option: str, text: str, roles: Sequence[Role]) -> dict[Role, str]:
    """Read "8", meant for all sections, or "V:8,C:7"."""
    if ":" not in text and "=" not in text:
        return dict.fromkeys(roles, text.strip())
    found = {}
    for part in text.split(","):
        name, mark, value = (field.strip() for field in re.sub("=", ":", part).partition(":"))
        if not mark or not value or name.lower() not in _NAMES:
            raise RequestError(f"--{option} {text!r} does not parse at {part.strip()!r}; write it as in V:8,C:7")
        role = _NAMES[name.lower()]
        if role not in roles:
            raise RequestError(f"--{option} speaks of the {role.value}, and the form has none; add it to --form")
        found[role] = value
    return found


def _section(
    role: Role, lines: str, syllables: str, rhyme: str, request: Request, chance: random.Random
) -> SectionPlan:
    scheme = _parse_scheme(rhyme)
    pattern = _parse_syllables(syllables)
    natural = chance.choice(_PATTERNS.get(role, ((8, 8), (7, 7), (8, 6))))
    if lines and not lines.isdecimal():
        raise RequestError(f"--lines {lines!r} is no number of lines; write --lines 4, or V:4,C:4")
    wanted = [len(part) for part in (scheme, pattern) if part is not None and len(part) > 1]
    num_lines = int(lines) if lines else max(wanted, default=_NUM_LINES.get(role, 4))
    if not 1 <= num_lines <= MAX_LINES:
        raise RequestError(f"a section has from 1 to {MAX_LINES} lines, not {num_lines}")
    if pattern is None:
        pattern = natural
    if num_lines % len(pattern) and len(pattern) > 1 and syllables not in ("", "natural"):
        raise RequestError(
            f"the pattern {syllables} has {len(pattern)} lines and the {role.value} {num_lines}; "
            f"use --lines {len(pattern)}, or another pattern"
        )
    if scheme is None:
        scheme = _stretched("XAXA" if num_lines > 2 else "AA", num_lines)
    elif scheme == "" or num_lines % len(scheme) == 0:
        scheme = _stretched(scheme, num_lines)
    else:
        raise RequestError(
            f"the scheme {rhyme} has {len(scheme)} lines and the {role.value} {num_lines}; "
            f"use --lines {len(scheme)} (or a multiple), or another scheme"
        )
    counts = tuple(pattern[index % len(pattern)] for index in range(num_lines))
    if request.metre != "free" and min(counts) < 2:
        raise RequestError(
            f"a line of 1 syllable cannot be {request.metre}; use --syllables 2 or more, or --metre free"
        )
    return SectionPlan(role, counts, scheme)


def _parse_scheme(text: str) -> str | None:
    """Return the letters; "" for no rhymes, None if nothing is asked."""
    if not text:
        return None
    letters = text.upper().replace("-", UNRHYMED)
    if letters == "NONE":
        return ""
    if not re.fullmatch("[A-Z]+", letters) or len(letters) > MAX_LINES:
        raise RequestError(f"the rhyme scheme {text!r} does not parse; write letters as in ABAB, AABB, XAXA, or none")
    return "".join(letter if letters.count(letter) > 1 else UNRHYMED for letter in letters)


def _stretched(scheme: str, num_lines: int) -> str:
    """Repeat a scheme to so many lines with fresh letters: ABAB to eight lines is ABABCDCD.

    >>> _stretched("XAXA", 8)
    'XAXAXBXB'
    """
    if not scheme:
        return UNRHYMED * num_lines
    letters = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWYZ"]
    made = ""
    while len(made) < num_lines:
        names = {UNRHYMED: UNRHYMED}
        for letter in scheme:
            if letter not in names:
                names[letter] = letters.pop(0)
            made += names[letter]
    made = made[:num_lines]
    return "".join(letter if made.count(letter) > 1 else UNRHYMED for letter in made)


def _parse_syllables(text: str) -> tuple[int, ...] | None:
    """Return the counts of a pattern; None for natural ones."""
    if text in ("", "natural"):
        return None
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3})*", text):
        raise RequestError(f"the syllables {text!r} do not parse; write 8, a pattern 8.6.8.6, or natural")
    counts = tuple(map(int, text.split(".")))
    if not all(1 <= count <= MAX_SYLLABLES for count in counts):
        raise RequestError(f"a line has from 1 to {MAX_SYLLABLES} syllables, not {text}")
    return counts


def _check_words(request: Request, pronouncer: Pronouncer) -> None:
    """Check all words that are asked for or ruled out."""
    check_theme(request.theme)
    check_mood(request.mood)
    if request.metre not in METRES:
        raise RequestError(f"the metre must be {', '.join(METRES[1:])} or free, got {request.metre!r}")
    wanted = [("use", word) for word in request.use] + [("title", request.title)] * bool(request.title)
    for option, phrase in wanted + [("to", request.to)] * bool(request.to):
        try:
            words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", phrase)
            if not words:
                raise RequestError(f"--{option} {phrase!r} has no words to sing")
            for word in words:
                pronouncer.syllables(word)
        except UnpronounceableError as error:
            raise RequestError(f"--{option}: {error}") from error
        clash = next(filter(request.avoids, words), None)
        if clash:
            raise RequestError(f"{clash!r} is to be avoided, and --{option} asks for it; leave it out of one of them")


def check_theme(text: str) -> None:
    """Refuse a theme that says nothing, too much, or nothing in Latin letters. Raises RequestError."""
    theme = text.split()
    if not theme:
        raise RequestError('the theme is empty; say what the song is about, as in "leaving home by train at night"')
    if len(theme) > MAX_THEME_WORDS:
        raise RequestError(
            f"the theme has {len(theme):,} words; say it in at most {MAX_THEME_WORDS}, "
            "or compose lyrics that are written already with songwright compose"
        )
    letters = [char for char in text if char.isalpha()]
    latin = [char for char in letters if unicodedata.name(char, "").startswith("LATIN")]
    if not letters or 2 * len(latin) < len(letters):
        raise RequestError("the theme has no words in Latin letters; lyrics are written in English: say it in English")


def check_mood(mood: str) -> None:
    """Refuse a mood that is none. Raises RequestError."""
    if mood and mood not in MOODS:
        raise RequestError(f"the mood must be one of {', '.join(MOODS)}, got {mood!r}")
