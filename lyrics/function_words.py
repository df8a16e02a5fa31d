"""Words that carry grammar rather than sense: sung weakly, and kept off the strong beats."""

_FUNCTION_WORDS = frozenset(
    # articles and determiners
    "a an the this that these those my your his her its our their thy thine mine some any each every either neither "
    "such both "
    # personal, reflexive, relative and interrogative pronouns
    "i me you he him she it we us they them thou thee ye yours hers ours theirs myself yourself himself herself itself "
    "ourselves yourselves themselves thyself who whom whose which what whoever whatever "
    # prepositions
    "of in to for with on at from by about as into like through after over between out against during without before "
    "under around among upon unto onto within toward towards beneath beside besides beyond behind below above across "
    "along amid amidst amongst 'mid 'midst 'mong since until till 'til til than near off up down per via round 'round "
    "'neath 'gainst o'er past "
    # conjunctions
    "and or but nor so if because 'cause cause cuz that though although while whilst unless lest whether when whene'er "
    "whenever where'er wherever where as ere yet "
    # auxiliaries and modals
    "am is are was were be been being do does did has have had having will would shall should can could may might must "
    "art wast wert hast hath hadst dost doth didst wilt shalt wouldst shouldst canst couldst mayst mightst ought ain't "
    "gonna wanna gotta "
    # particles and weak forms
    "there 'em 'tis 'twas 'twill 'twere 'twould an' th' o' wi' n' 'n 'n' y'all".split()
)
# Endings of contractions: pronoun or auxiliary plus one of these stays a function word ("we'll", "they've", "isn't").
_CONTRACTED = ("n't", "'ll", "'re", "'ve", "'d", "'s", "'m", "'st", "'rt")
_NEGATED_STEMS = {"ca": "can", "wo": "will", "sha": "shall", "ai": "am"}


def is_function_word(text: str) -> bool:
    """Whether a written word, in any case and with straight or curly apostrophes, is a function word.

    >>> is_function_word("The"), is_function_word("they’ve"), is_function_word("river")
    (True, True, False)
    """
    word = text.lower().replace("’", "'").replace("‘", "'")
    if word in _FUNCTION_WORDS:
        return True
    for ending in _CONTRACTED:
        if word.endswith(ending):
            stem = word[: -len(ending)]
            return stem in _FUNCTION_WORDS or _NEGATED_STEMS.get(stem, "") in _FUNCTION_WORDS
    return False
