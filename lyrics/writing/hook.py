"""What makes a line one that a chorus is remembered by: a short, strong phrase that says something by itself."""

import re
from collections.abc import Sequence

from lyrics.document import LyricsError
from lyrics.function_words import is_function_word
from lyrics.pronounce import Pronouncer
from lyrics.writing.words import SungWord, sung_phrase

# Content words that say little: a phrase of these and function words is no hook.
_PALE = frozenset(
    "know knew known go goes going went gone come comes came get gets got make makes made see saw seen say says said "
    "think thought want wanted take took give gave tell told let look looked seem seems seemed put find found feel "
    "felt keep kept just now then here there again never ever always still also very much more most well too so only "
    "even back away long last first next other one two thing things something nothing way lot little good time "
    "times day days hear heard try tried start started end ended not no".split()
)
_VAGUE = frozenset("it that this these those there then it's that's there's which what such so".split())
_FILLING = frozenset("have has had been was were would could should might did do does".split())


def is_telling(text: str) -> bool:
    """Whether a lower-case word says something by itself.

    >>> is_telling("train"), is_telling("know"), is_telling("the")
    (True, False, False)
    """
    return text not in _PALE and not is_function_word(text)


_LEAST = 3  # syllables
_LONGEST = 12  # words of a theme that is a phrase
_DETERMINERS = frozenset("a an the my your his her its our their this that these those".split())  # "feeds | the birds"
_NO_START = frozenset("and but or nor of that who whom whose which what so than as i you he she we they it".split())


def theme_phrases(theme: str, pronouncer: Pronouncer, most: int) -> list[SungWord]:
    """Return the phrases of a theme, of at most so many syllables, that a hook may end on; the longest first.

    They begin with the theme, or where a phrase begins, and end where one ends.

    >>> [phrase.text for phrase in theme_phrases("leaving home by train at night", Pronouncer(), 4)]
    ['by train at night', 'leaving home']
    """
    words = re.findall(r"[A-Za-z]+(?:['’][A-Za-z]+)*", theme)
    if len(words) > _LONGEST:
        return []
    found = []
    for start, first in enumerate(words):
        opens = start == 0 or first.lower().endswith("ing") or is_function_word(first)
        if not opens or first.lower() in _NO_START:
            continue
        for end in range(start + 2, len(words) + 1):
            closed = end == len(words) or (is_function_word(words[end]) and words[end].lower() not in _DETERMINERS)
            hangs = is_function_word(words[end - 1]) and (start, end) != (0, len(words))
            if not closed or hangs or not any(is_telling(word.lower()) for word in words[start:end]):
                continue
            try:
                phrase = sung_phrase(" ".join(words[start:end]), pronouncer)
            except LyricsError:
                continue
            if _LEAST <= phrase.num_syllables <= most:
                found.append(phrase)
    return sorted(found, key=lambda phrase: -phrase.num_syllables)


def weakness(words: Sequence[SungWord]) -> float:
    """How little a line is worth as a hook: vague and filling words, few telling ones.

    A title names something, calls somebody or says what I do; it does not report that something had been there.
    """
    texts = " ".join(word.text for word in words).lower().split()
    vague = sum(text in _VAGUE for text in texts) + 0.5 * sum(text in _FILLING for text in texts)
    telling = sum(map(is_telling, texts))
    return vague + max(0, 2 - telling) + 0.5 * (texts[0] in ("and", "but", "or", "for", "nor"))
