"""What hurried typing does to a report without changing what it says."""

import re

from numbers_as_text import WORDS as NUMBER_WORDS

ABBREVIATIONS = {
    "people": "ppl", "please": "pls", "hospital": "hosp", "water": "wtr", "road": "rd", "without": "w/o",
    "with": "w/", "urgent": "urg", "tomorrow": "tmrw", "today": "2day", "immediately": "immed", "and": "&",
    "as soon as possible": "asap", "electricity": "elec", "generator": "gen", "children": "chn",
    "families": "fams", "security": "sec", "priority": "prio", "emergency": "emerg", "medicine": "meds",
    "houses": "hses", "need": "nd", "needed": "ndd", "are": "r", "thank you": "thx", "thanks": "thx",
    "number": "no", "hours": "hrs", "weeks": "wks", "approximately": "approx", "about": "abt",
    "information": "info", "message": "msg", "bridge": "brdg", "doctor": "dr", "village": "vlg",
}
# "today" and "2day": the digit stands for no number, which is a trap on purpose.

# Noise of the training's first stage, with weights: harder than the task is.
HARD = {(): 45, ("lower",): 10, ("upper",): 4, ("typo",): 8, ("abbreviate",): 5, ("unpunctuate",): 4,
        ("telegraph",): 5, ("lower", "typo"): 4, ("lower", "abbreviate"): 3, ("lower", "unpunctuate"): 4,
        ("telegraph", "abbreviate"): 3, ("space",): 2, ("typo", "abbreviate"): 3}
# Noise of the second stage, and of all held-out reports that are not about noise.
USUAL = {(): 42, ("lower",): 12, ("slip",): 12, ("abbreviate",): 6, ("unpunctuate",): 4, ("telegraph",): 5,
         ("lower", "slip"): 6, ("lower", "abbreviate"): 4, ("lower", "unpunctuate"): 3,
         ("telegraph", "abbreviate"): 3, ("space",): 2, ("slip", "abbreviate"): 3}
# Combinations for held-out reports only.
RESERVED = [("abbreviate", "slip", "lower"), ("telegraph", "unpunctuate", "lower"),
            ("abbreviate", "unpunctuate", "lower"), ("telegraph", "slip"), ("space", "lower")]


def choose(table, rng):
    return rng.choices(list(table), table.values())[0]


def apply(kinds, text, rng):
    for kind in kinds:
        text = OPERATIONS[kind](text, rng)
    return text


def _abbreviate(text, rng):
    for long, short in ABBREVIATIONS.items():
        if rng.random() < 0.75:
            text = re.sub(rf"\b{long}\b", short, text)
    return text


def _typos(text, rng):
    return _with_slips(text, rng, 5, rng.randint(1, 2))


def _slip(text, rng):
    return _with_slips(text, rng, 6, 1)


def _with_slips(text, rng, letters, count):
    """Misspells `count` words that have at least so many letters; number words stay."""
    words = re.finditer(rf"[A-Za-z]{{{letters},}}", text)
    spots = [m for m in words if m.group().lower() not in NUMBER_WORDS]
    chosen = sorted(rng.sample(spots, min(len(spots), count)), key=lambda m: -m.start())
    for spot in chosen:
        text = text[:spot.start()] + _misspell(spot.group(), rng) + text[spot.end():]
    return text


def _misspell(word, rng):
    """One slip of the finger inside the word; the first letter stays."""
    i = rng.randint(1, len(word) - 2)
    slip = rng.randrange(4)
    if slip == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2:]
    if slip == 1:
        return word[:i] + word[i + 1:]
    if slip == 2:
        return word[:i] + word[i] + word[i:]
    return word[:i] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[i + 1:]


def _telegraph(text, rng):
    """Leaves out the small words; "a" stays, since "a man" counts one."""
    return re.sub(r"\b(the|is|are|has|have|been|there|we|it) (?=\w)", "", text)


def _unpunctuate(text, rng):
    return re.sub(r"[.,;](?=\s|$)", "", text)


def _space(text, rng):
    return rng.choice([lambda t: t.replace(". ", ".  "), lambda t: t.replace(", ", ","), lambda t: t + " ",
                       lambda t: " " + t, lambda t: t + "\n", lambda t: t.replace(". ", "\n")])(text)


OPERATIONS = {
    "lower": lambda text, rng: text.lower(),
    "upper": lambda text, rng: text.upper(),
    "typo": _typos,
    "slip": _slip,
    "abbreviate": _abbreviate,
    "unpunctuate": _unpunctuate,
    "telegraph": _telegraph,
    "space": _space,
}
