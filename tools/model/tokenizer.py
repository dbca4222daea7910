"""A SentencePiece-like tokenizer, trained here, that splits text exactly as llama.cpp does ("llama" model).

Pieces are merged by score, best first and leftmost first; no piece has a digit or a line feed in it next to
anything else, and a space (U+2581) stands only at a piece's start. So a text can be split at spaces first
and every word be tokenised once. Digits stay single, which makes copying a number easy.
"""

import heapq
import re
from collections import Counter, defaultdict

SPACE = "\u2581"
UNKNOWN, BOS, EOS, IM_START, IM_END = "<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"
CONTROL = [BOS, EOS, IM_START, IM_END]
NORMAL_TYPE, UNKNOWN_TYPE, CONTROL_TYPE, BYTE_TYPE = 1, 2, 3, 6

# Runs within which pieces may be merged: letters with a space in front, punctuation, single digits.
RUNS = re.compile(rf"{SPACE}?[A-Za-z]+|[0-9]|{SPACE}|[^A-Za-z0-9{SPACE}\n]+")


class Tokenizer:
    def __init__(self, pieces):
        """`pieces`: the base characters and the merged pieces, best first."""
        self.texts = [UNKNOWN] + CONTROL + [f"<0x{b:02X}>" for b in range(256)] + pieces
        self.types = ([UNKNOWN_TYPE] + [CONTROL_TYPE] * len(CONTROL) + [BYTE_TYPE] * 256
                      + [NORMAL_TYPE] * len(pieces))
        self.first_byte = 1 + len(CONTROL)
        self.scores = [0.0] * (self.first_byte + 256) + [-float(i) for i in range(len(pieces))]
        self.ids = {text: i for i, text in enumerate(self.texts)}
        self.special = re.compile("|".join(re.escape(t) for t in CONTROL))
        self.cache = {}

    def __len__(self):
        return len(self.texts)

    def encode(self, text):
        """Token ids of `text`, with control tokens in it understood; no BOS."""
        ids, start = [], 0
        for match in self.special.finditer(text):
            ids += self._raw(text[start:match.start()]) + [self.ids[match.group()]]
            start = match.end()
        return ids + self._raw(text[start:])

    def decode(self, ids):
        out = b""
        for i in ids:
            if self.types[i] == BYTE_TYPE:
                out += bytes([i - self.first_byte])
            else:
                out += self.texts[i].replace(SPACE, " ").encode()
        return out.decode(errors="replace")

    def _raw(self, text):
        ids = []
        for word in re.findall(rf"{SPACE}[^{SPACE}\n]*|[^{SPACE}\n]+|\n", text.replace(" ", SPACE)):
            if word not in self.cache:
                self.cache[word] = self._merge(word)
            ids += self.cache[word]
        return ids

    def _merge(self, word):
        """llama.cpp's merging: the pair whose union has the best score, the leftmost of equals."""
        parts, following, previous = list(word), list(range(1, len(word) + 1)), list(range(-1, len(word) - 1))
        queue = []

        def offer(left, right):
            if left < 0 or right >= len(parts):
                return
            piece = self.ids.get(parts[left] + parts[right])
            if piece is not None:
                heapq.heappush(queue, (-self.scores[piece], left, right, parts[left], parts[right]))

        for i in range(len(parts) - 1):
            offer(i, i + 1)
        while queue:
            _, left, right, a, b = heapq.heappop(queue)
            if parts[left] != a or parts[right] != b or following[left] != right:
                continue
            parts[left], parts[right], following[left] = a + b, "", following[right]
            if following[right] < len(parts):
                previous[following[right]] = left
            offer(previous[left], left)
            offer(left, following[left])
        ids = []
        for part in filter(None, parts):
            known = self.ids.get(part)
            ids += [known] if known is not None else [self.first_byte + b for b in part.encode()]
        return ids


def train(texts, size):
    """A tokenizer of `size` tokens from byte pair merges over `texts`, which have no control tokens."""
    words = Counter(run for text in texts for run in RUNS.findall(text.replace(" ", SPACE)))
    words.update({role: len(texts) for role in ("user", "assistant", "system")})
    base = sorted({chr(c) for c in range(33, 127)} | {SPACE})
    merges_wanted = size - (1 + len(CONTROL) + 256 + len(base))
    splits = {word: list(word) for word in words}
    pairs, where = Counter(), defaultdict(set)
    for word, parts in splits.items():
        for pair in zip(parts, parts[1:]):
            pairs[pair] += words[word]
            where[pair].add(word)
    merges = []
    while len(merges) < merges_wanted:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if "".join(best) not in merges:
            merges.append("".join(best))
        for word in where.pop(best):
            parts = splits[word]
            for pair in zip(parts, parts[1:]):
                pairs[pair] -= words[word]
            splits[word] = parts = _joined(parts, best)
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
                where[pair].add(word)
        del pairs[best]
    # Characters come last: a piece's score is its rank, and a character is never the result of a merge.
    return Tokenizer(merges + base)


def _joined(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if tuple(parts[i:i + 2]) == pair:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out


def prompt(report, system=None):
    """What llama.cpp builds from the ChatML template for one user message."""
    before = f"{IM_START}system\n{system}{IM_END}\n" if system else ""
    return f"{before}{IM_START}user\n{report}{IM_END}\n{IM_START}assistant\n"


CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
