"""Ways to write a number of people, 0 to 999, in digits or English words."""

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen").split()
TENS = ". . twenty thirty forty fifty sixty seventy eighty ninety".split()
ROUND = {2: "a couple of", 6: "half a dozen", 12: "a dozen", 24: "two dozen", 36: "three dozen",
         100: "a hundred"}

# Words that noise must not touch, since a typo in them can make another number.
WORDS = frozenset(ONES + TENS + ["hundred", "dozen", "half", "couple"])


def words(n, rng):
    """`n` in English words, with the usual variation of hyphens and "and"."""
    if n < 20:
        return ONES[n]
    if n < 100:
        tens, ones = divmod(n, 10)
        return TENS[tens] + (rng.choice("- ") + ONES[ones] if ones else "")
    hundreds, rest = divmod(n, 100)
    head = "a" if hundreds == 1 and rng.random() < 0.4 else ONES[hundreds]
    return head + " hundred" + (rng.choice([" and ", " "]) + words(rest, rng) if rest else "")


def people_count(rng):
    """A number of people, with small numbers more common than large ones."""
    return rng.choices([rng.randint(2, 9), rng.randint(10, 99), rng.randint(100, 999)], [35, 40, 25])[0]


def written(n, rng):
    """(`n` as text, the form's name)."""
    if n in ROUND and rng.random() < 0.4:
        return ROUND[n], "round"
    if rng.random() < 0.4:
        return words(n, rng), "words"
    return str(n), "digits"
