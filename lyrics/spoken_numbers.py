"""Numbers as people say them in American English: cardinals, ordinals, years, digits one by one.

Every function returns the spoken words in order; a compound such as "twenty-four" is one word.
"""

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = ". . twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ("trillion", 10**12), ("billion", 10**9), ("million", 10**6), ("thousand", 1000), ("hundred", 100)
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
LARGEST = 10**15 - 1  # above, digits are read one by one

# Numbers with a reading of their own.
_IDIOMS = {
    "007": "double oh seven",
    "360": "three sixty",
    "365": "three sixty-five",
    "411": "four one one",
    "420": "four twenty",
    "666": "six six six",
    "747": "seven forty-seven",
    "808": "eight oh eight",
    "911": "nine one one",
}


def cardinal(number: int) -> list[str]:
    """Words of a whole number from 0 to `LARGEST`.

    >>> cardinal(1024)
    ['one', 'thousand', 'twenty-four']
    """
    if number < 20:
        return [_ONES[number]]
    if number < 100:
        tens, ones = divmod(number, 10)
        return [_TENS[tens] + (f"-{_ONES[ones]}" if ones else "")]
    name, size = next(scale for scale in _SCALES if number >= scale[1])
    high, low = divmod(number, size)
    return [*cardinal(high), name, *(cardinal(low) if low else [])]


def ordinal(number: int) -> list[str]:
    """Words of an ordinal number.

    >>> ordinal(21)
    ['twenty-first']
    """
    words = cardinal(number)
    stem, hyphen, last = words[-1].rpartition("-")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return [*words[:-1], stem + hyphen + last]


def digits(text: str) -> list[str]:
    """Digits one by one; a nought is "oh".

    >>> digits("505")
    ['five', 'oh', 'five']
    """
    return ["oh" if digit == "0" else _ONES[int(digit)] for digit in text]


def year(number: int) -> list[str]:
    """Words of a year from 1100 to 2099.

    >>> [" ".join(year(number)) for number in (1969, 1900, 1905, 2000, 2005, 2024)]
    ['nineteen sixty-nine', 'nineteen hundred', 'nineteen oh five', 'two thousand', 'two thousand five', 'twenty twenty-four']
    """  # noqa: E501
    century, rest = divmod(number, 100)
    if number // 10 == 200:
        return cardinal(number)
    if rest == 0:
        return [*cardinal(century), "hundred"]
    return [*cardinal(century), *(["oh"] if rest < 10 else []), *cardinal(rest)]


def whole(text: str) -> list[str]:
    """Words of a written whole number, as it is most likely meant: a year, an idiom, digits or a cardinal.

    >>> whole("1,969"), whole("1969"), whole("911")
    (['one', 'thousand', 'nine', 'hundred', 'sixty-nine'], ['nineteen', 'sixty-nine'], ['nine', 'one', 'one'])
    """
    plain = text.replace(",", "")
    if text in _IDIOMS:
        return _IDIOMS[text].split()
    if (plain.startswith("0") and len(plain) > 1) or len(plain) > len(str(LARGEST)):
        return digits(plain)
    if len(text) == 4 and 1100 <= int(text) <= 2099:
        return year(int(text))
    return cardinal(int(plain))


def decimal(text: str) -> list[str]:
    """Words of a number with or without a decimal point.

    >>> decimal("3.05")
    ['three', 'point', 'oh', 'five']
    """
    before, point, after = text.partition(".")
    return [*(whole(before) if before else []), *(["point", *digits(after)] if point else [])]


def plural(words: list[str]) -> list[str]:
    """Put the last word in the plural.

    >>> plural(year(1990))
    ['nineteen', 'nineties']
    """
    last = words[-1]
    ending = last[:-1] + "ies" if last.endswith("y") else last + ("es" if last.endswith("x") else "s")
    return [*words[:-1], ending]
