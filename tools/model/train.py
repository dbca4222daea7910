"""Trains the model to answer; only the answer's tokens count in the loss."""

import time
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from model import logits

LENGTHS = (52, 64, 80, 112, 256)  # batches are padded to one of these
ANSWER = 20  # no answer with its end token is longer
BATCH_TOKENS = 3584
MATRIX_RATE, OTHER_RATE, DECAY = 0.02, 4e-3, 0.1


@dataclass(frozen=True)
class Stage:
    """How long and how fast to learn: a rise to `peak` at the start, a fall to 0 at the end."""

    steps: int
    peak: float
    cool_down: int
    warm_up: int = 50

    def rate(self, number):
        return self.peak * min(1.0, number / self.warm_up) * min(1.0, (self.steps - number) / self.cool_down)


def batches(examples, rng):
    """One pass over `examples` ((prompt ids, answer ids)) in batches of like length, in random order."""
    groups = {length: [] for length in LENGTHS}
    for example in examples:
        size = len(example[0]) + len(example[1])
        groups[next(length for length in LENGTHS if size <= length)].append(example)
    plan = []
    for length, group in groups.items():
        rng.shuffle(group)
        rows = BATCH_TOKENS // length
        plan += [(length, group[i:i + rows]) for i in range(0, len(group) - rows + 1, rows)]
    rng.shuffle(plan)
    for length, group in plan:
        yield padded(group, length)


def padded(group, length):
    """(tokens, positions that predict, what they predict with -1 for nothing)."""
    tokens = np.zeros((len(group), length), np.int32)
    at = np.zeros((len(group), ANSWER), np.int32)
    wanted = np.full((len(group), ANSWER), -1, np.int32)
    for row, (prompt, answer) in enumerate(group):
        tokens[row, :len(prompt) + len(answer)] = prompt + answer
        at[row, :len(answer)] = np.arange(len(answer)) + len(prompt) - 1
        wanted[row, :len(answer)] = answer
    return tokens, at, wanted


def loss(w, shape, tokens, at, wanted):
    scores = jax.nn.log_softmax(logits(w, shape, tokens, at))
    picked = jnp.take_along_axis(scores, jnp.maximum(wanted, 0)[..., None], -1)[..., 0]
    return -(picked * (wanted >= 0)).sum() / len(tokens)


def orthogonal(g):
    """The nearest matrix with singular values near 1 (Newton-Schulz, five rounds): Muon's step direction."""
    tall = g.shape[0] > g.shape[1]
    x = (g.T if tall else g) / (jnp.linalg.norm(g) + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


@partial(jax.jit, static_argnums=3, donate_argnums=(0, 1, 2))
def step(w, mean, square, shape, number, rate, batch):
    """One step: Muon for the matrices within the blocks, AdamW for the rest. `rate` is 1 at its peak."""
    value, gradient = jax.value_and_grad(loss)(w, shape, *batch)
    for name, g in gradient.items():
        if name.startswith("blk.") and g.ndim == 2:
            mean[name] = 0.95 * mean[name] + g
            stretch = max(1.0, g.shape[0] / g.shape[1]) ** 0.5
            w[name] = w[name] * (1 - rate * MATRIX_RATE * DECAY) \
                - rate * MATRIX_RATE * stretch * orthogonal(g + 0.95 * mean[name])
        else:
            mean[name] = 0.9 * mean[name] + 0.1 * g
            square[name] = 0.98 * square[name] + 0.02 * g * g
            change = mean[name] / (1 - 0.9 ** number) / (jnp.sqrt(square[name] / (1 - 0.98 ** number)) + 1e-8)
            w[name] = w[name] - rate * OTHER_RATE * change
    return w, mean, square, value


def train(w, shape, stage, more_examples, seed, report=print):
    """The weights after one more stage; `more_examples(i)` gives the i-th load of fresh examples."""
    w = {name: jnp.array(x) for name, x in w.items()}
    mean = {name: jnp.zeros_like(x) for name, x in w.items()}
    square = {name: jnp.zeros_like(x) for name, x in w.items()}
    rng = np.random.default_rng(seed)
    started, total, number, load = time.time(), [], 0, 0
    while True:
        for batch in batches(more_examples(load), rng):
            number += 1
            w, mean, square, value = step(w, mean, square, shape, float(number), stage.rate(number), batch)
            total.append(value)
            if number % 100 == 0:
                report(f"step {number} of {stage.steps}: loss {np.mean([float(v) for v in total]):.4f}, "
                       f"{time.time() - started:.0f} s", flush=True)
                total = []
            if number == stage.steps:
                return {name: np.asarray(x) for name, x in w.items()}
        load += 1


@partial(jax.jit, static_argnums=1)
def _next(w, shape, tokens, at):
    return logits(w, shape, tokens, at)[:, 0].argmax(-1)


def answers(w, shape, prompts, end, rows=100):
    """The greedy answers (token ids without `end`) to `prompts`, computed without a cache."""
    out = []
    for first in range(0, len(prompts), rows):
        group = prompts[first:first + rows]
        longest = max(map(len, group)) + ANSWER
        tokens = np.zeros((rows, next(n for n in LENGTHS if longest <= n)), np.int32)
        ends = np.ones(rows, np.int32)
        for row, ids in enumerate(group):
            tokens[row, :len(ids)] = ids
            ends[row] = len(ids)
        for _ in range(ANSWER):
            chosen = np.asarray(_next(w, shape, tokens, (ends - 1)[:, None]))
            tokens[np.arange(rows), ends] = chosen
            ends += 1
        for row, ids in enumerate(group):
            answer = list(tokens[row, len(ids):ends[row]])
            out.append([int(t) for t in answer[:answer.index(end)]] if end in answer else answer)
    return out
