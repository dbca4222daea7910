"""Generates field reports with their answers, and keeps the held-out ones apart.

A report is a frame (which clauses in which order), a wording for every clause, fillers (places, names,
numbers) and noise. What the held-out set is made of never occurs in training:

- fillers: the places and names of held-out reports are reserved for them, always;
- `combination`: the frame, the wordings and the noise are known one by one, their combination is not;
- `frame`: the order of clauses is unknown;
- `wording`: at least one clause is worded in an unknown way;
- `number`: the number of people, written in this form, is unknown;
- `noise`: the combination of noises is unknown.
"""

import hashlib
import re
from dataclasses import dataclass

import noise
import phrases as P
import things
import urgencies
from numbers_as_text import ROUND, people_count, words, written

KINDS = ("combination", "frame", "wording", "number", "noise")

# Clauses: S problem, L people with their lack, N count, Z nobody, U urgency, R request with a time,
# r request without one, T tag, D aside with numbers, F what is fine. See phrases.py.
FRAMES = [
    "S N U", "S N R", "N S U", "U S N", "S U N", "L U", "U L", "L", "L R", "S L U", "S L R", "S N", "S",
    "S U", "S R", "U S", "T S N", "T L", "T S", "S D N U", "D S N U", "S N D U", "L D U", "S N r",
    "S N F U", "F S N U", "F L U", "S Z U", "S Z", "S Z R", "L r U", "S r N U", "D L", "S D U", "D S U",
    "S D", "S D N", "L D", "R S", "R L", "S D Z U", "r S N U", "S F U", "T D S N",
]
RESERVED_FRAMES = [
    "U N S", "N U S", "D L U", "S U D N", "U D S N", "N D S U", "R S N", "U L D", "F S U", "Z S U",
    "T S D N", "S R N", "L F R", "N S r U", "D N S",
]
SEPARATORS = [". ", ", ", "; ", " - ", "\n"]
SEPARATOR_WEIGHTS = [68, 20, 5, 5, 2]

# The largest {k} before these words.
LARGEST = {"hours": 12, "days": 6, "more": 6, "weeks": 8, "months": 6, "of": 9, "times": 6}
AGREE = {"have": ("has", "have"), "are": ("is", "are"), "need": ("needs", "need"), "ask": ("asks", "ask"),
         "was": ("was", "were"), "want": ("wants", "want")}
PLACE_WORDS = (
    "Alpha Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliett Kilo Lima Mike November Oscar Papa "
    "Quebec Romeo Sierra Tango Uniform Victor Whiskey Yankee Zulu Oakfield Redcliff Ashton Brookside "
    "Fairview Greenhill Hillcrest Stonegate Westbrook Elmwood Southport Northgate Maplewood"
).split()
PLACE_PREFIXES = ["New ", "Upper ", "Lower ", "North ", "South ", "East ", "West ", "Old "]
SYLLABLES = (
    "ba be bi bo da do du fa ga go ka ke ki ko la le li lo lu ma me mi mo mu na ne ni no pa po ra re ri "
    "ro sa se si so ta te ti to tu va vi wa ya yo za zu chi sha mar ten kor bel dun lan"
).split()
NAMES = (
    "Amina Ben Carla David Elena Farid Grace Hassan Ines Jonas Kofi Lina Musa Nadia Omar Petra Rosa "
    "Samuel Tala Usha Victor Wanjiru Yusuf Zara Anna Boris Chen Diego Emma Felix Gita Hugo Ivan Jane "
    "Karim Laila Maria Nils Olga Paulo Rahel Sofia Tom Uwe Vera Wen Yara Zoe Peter Mary John Ruth Ali "
    "Sara"
).split()


@dataclass(frozen=True)
class Report:
    text: str
    category: str
    urgency: str
    people: int
    kinds: frozenset  # of KINDS: in what way it is unlike the training set
    combination: tuple

    @property
    def answer(self):
        return f'{{"category":"{self.category}","urgency":"{self.urgency}","people":{self.people}}}'


def chance(*parts):
    """A number from 0 to 999 that depends on the parts alone, alike in every run and on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big") % 1000


class Writer:
    """Writes one report. Takes reserved wordings with the probability `reserved`."""

    def __init__(self, rng, held_out, reserved):
        self.rng, self.held_out, self.reserved = rng, held_out, reserved
        self.kinds, self.chosen = set(), []

    def pick(self, wordings):
        fresh = [w for w in wordings if w[0] == "~"]
        if fresh and self.rng.random() < self.reserved:
            self.kinds.add("wording")
            wording = self.rng.choice(fresh)[1:]
        else:
            wording = self.rng.choice([w for w in wordings if w[0] != "~"])
        self.chosen.append(wording)
        return wording

    def name_from(self, make):
        """A name of the side (training or held out) that this report is on."""
        while True:
            name = make()
            if (chance("name", name) < 150) == self.held_out:
                return name

    def place(self):
        rng = self.rng

        def make():
            if rng.random() < 0.35:
                name = rng.choice(PLACE_WORDS)
            else:
                name = "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 3))).capitalize()
            style = rng.random()
            if style < 0.10:
                return rng.choice(PLACE_PREFIXES) + name
            if style < 0.15:
                return f"{name} {rng.randint(2, 30)}"
            return rng.choice(["the village of ", "camp ", "zone "]) + name if style < 0.20 else name
        return self.name_from(make)

    def small(self, following):
        """A number for {k}; its range fits the unit that follows."""
        unit = following.split(" ")[1] if following.startswith(" ") else ""
        return self.small_text(self.rng.randint(2, LARGEST.get(unit, 60)))

    def small_text(self, k):
        # Tens in words could join with a number behind them ("block twenty, seven people").
        return words(k, self.rng) if k <= 12 and self.rng.random() < 0.35 else str(k)

    def one_of(self, listed):
        return self.rng.choice(listed.split(";"))

    def pick_of(self, own, general):
        """A wording for one category, or one of the general wordings about its things and devices."""
        return self.pick(self.rng.choice([own, general]))

    def fill(self, wording, plural=True, **given):
        while match := re.search(r"\{(\w+)\}", wording):
            slot, rest = match.group(1), wording[match.end():]
            if slot in given:
                value = given[slot]
            elif slot in AGREE:
                value = AGREE[slot][plural]
            else:
                value = {
                    "p": self.place, "k": lambda: self.small(rest),
                    "name": lambda: self.name_from(lambda: self.rng.choice(NAMES)),
                    "big": lambda: str(self.rng.randint(61, 5000)), "day": lambda: self.rng.choice(P.DAYS),
                    "ago": lambda: self.rng.choice(P.AGO),
                    "clock": lambda: f"{self.rng.randint(0, 23):02}{self.rng.choice([':', ''])}"
                                     f"{self.rng.randint(0, 59):02}{self.rng.choice(['', '', ' hours'])}",
                }[slot]()
            wording = wording[:match.start()] + value + rest
        wording = re.sub(r"\b(no|without) an? ", r"\1 ", wording)
        return re.sub(r"  +", " ", wording).strip()

    def number(self, n):
        text, form = written(n, self.rng)
        if n >= 20 and chance("number", n, form) < 80:
            self.kinds.add("number")
        return text

    def counted(self, wording, n):
        """Fills {n}; a round form ("a dozen") only where a noun follows."""
        text = self.number(n)
        if text in ROUND.values() and "{n} {who}" not in wording:
            text = str(n)
        families = self.rng.randint(2, max(2, min(60, n // 2)))
        return self.fill(wording, n=text, who=self.rng.choice(P.WHO), fam=self.small_text(families),
                         sub=self.small_text(self.rng.randint(1, max(1, min(60, n - 1)))))

    def clause(self, slot, state):
        category, urgency, severity, n = state
        rng = self.rng
        given = {"thing": self.one_of(things.THINGS[category]),
                 "device": self.one_of(things.DEVICES[category])}
        if slot == "S":
            if severity:
                return self.fill(self.pick({"hot": P.HOT, "calm": P.CALM}[severity][category]))
            general = rng.choice([things.STATE_OF_THINGS, things.STATE_OF_DEVICES])
            return self.fill(self.pick_of(P.STATE[category], general), **given)
        if slot == "L":
            lack = self.pick(P.HOT_LACK[category]) if severity == "hot" else \
                self.pick_of(P.LACK[category], things.LACK_OF_THINGS)
            if n == 1:
                subject = self.fill(self.pick(P.SUBJECT_ONE), who=rng.choice(P.ONE))
                return subject + " " + self.fill(lack, plural=False, **given)
            return self.counted(self.pick(P.SUBJECT), n) + " " + self.fill(lack, **given)
        if slot == "N":
            return self.fill(self.pick(P.COUNT_ONE)) if n == 1 else self.counted(self.pick(P.COUNT), n)
        if slot in "Rr":
            request = self.fill(self.pick_of(P.REQUEST[category], things.REQUEST_OF_THINGS), **given)
            return request + " " + self.fill(self.pick(urgencies.TIME[urgency])) if slot == "R" else request
        if slot == "F":
            wordings = [w for c in P.CATEGORIES if c != category for w in P.FINE[c]]
            return self.fill(self.pick(wordings))
        wordings = {"Z": P.NOBODY, "U": urgencies.URGENCY[urgency], "T": urgencies.TAG[urgency],
                    "D": P.ASIDE}[slot]
        return self.fill(self.pick(wordings))


def _state(rng, slots):
    """Draws (category, urgency, severity, people) that the frame can say."""
    states_urgency = any(s in "URT" for s in slots)
    severity = rng.choices(["hot", "calm", ""], [12, 6, 82] if states_urgency else [28, 18, 54])[0]
    if severity == "calm" and any(s in "LRrZ" for s in slots) or severity == "hot" and "Z" in slots:
        severity = ""
    urgency = {"hot": "high", "calm": "low"}.get(severity) or (
        rng.choice(["low", "medium", "high"]) if states_urgency else "medium")
    category = rng.choice([c for c in P.CATEGORIES if c != "medical" or "Z" not in slots])
    people = (1 if rng.random() < 0.1 else people_count(rng)) if any(s in "LN" for s in slots) else 0
    return category, urgency, severity, people


def _capital(clause):
    return clause[0].upper() + clause[1:]


def _join(clauses, slots, rng):
    """Puts the clauses together with one kind of separator, or now and then a mixture of two."""
    separators = rng.choices(SEPARATORS, SEPARATOR_WEIGHTS, k=2)
    text = ""
    for i, (slot, clause) in enumerate(zip(slots, clauses)):
        separator = separators[rng.random() < 0.2]
        if slot == "T":
            # Capitals are other tokens, so a tag in capitals has to be one that training has.
            known = any(clause in tags for tags in urgencies.TAG.values())
            text += rng.choice([clause.upper() if known else _capital(clause), _capital(clause)])
            text += rng.choice([": ", ": ", " - ", "! ", ". "])
            continue
        text += _capital(clause) if text.strip()[-1:] in ("", ".", "!", ":") or separator == "\n" else clause
        if i + 1 < len(slots):
            if slots[i] == "F" and slots[i + 1] in "SL" and rng.random() < 0.5:
                text += ", but "
            else:
                text += separator
    return text + rng.choices([".", "", "!"], [80, 17, 3])[0]


def write(rng, kind=None, noises=noise.USUAL):
    """One report: for training if `kind` is None, else for the held-out set and new in that way."""
    while True:
        report = _draft(rng, kind, noises)
        if (kind in report.kinds) if kind else not report.kinds:
            return report


def _draft(rng, kind, table):
    writer = Writer(rng, held_out=kind is not None, reserved=0.4 if kind == "wording" else 0.0)
    frame = rng.choice(RESERVED_FRAMES if kind == "frame" else FRAMES)
    if kind == "frame":
        writer.kinds.add("frame")
    slots = frame.split()
    state = _state(rng, slots)
    text = _join([writer.clause(slot, state) for slot in slots], slots, rng)
    main = tuple(writer.chosen)
    if rng.random() < 0.25 and "T" not in slots:
        opening = writer.fill(writer.pick(P.OPENING))
        text = _capital(opening) + " " + text
    if rng.random() < 0.15:
        closing = _capital(writer.fill(writer.pick(P.CLOSING)))
        text = text.rstrip(".!") + ". " + closing + rng.choice([".", ""])
    noises = rng.choice(noise.RESERVED) if kind == "noise" else noise.choose(table, rng)
    if kind == "noise":
        writer.kinds.add("noise")
    # The first wording and the urgency's are enough to tell a combination; asides do not make one new.
    combination = (frame, main[0], main[-1], noises)
    if chance("combination", combination) < 100:
        writer.kinds.add("combination")
    category, urgency, _, people = state
    text = noise.apply(noises, text, rng)
    return Report(text, category, urgency, people, frozenset(writer.kinds), combination)


def held_out(rng, each):
    """`each` different reports of every kind."""
    seen, reports = set(), []
    for kind in KINDS:
        count = 0
        while count < each:
            report = write(rng, kind)
            if key(report.text) not in seen:
                seen.add(key(report.text))
                reports.append((kind, report))
                count += 1
    return reports


def key(text):
    """What two reports have in common that differ in case, spaces and punctuation only."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
