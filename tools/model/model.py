"""The llama architecture, small, in JAX, computed as llama.cpp does: the weights go into a GGUF unchanged."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

EPSILON = 1e-5
ROPE_BASE = 10000.0


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    width: int = 128
    layers: int = 4
    heads: int = 4
    hidden: int = 256
    context: int = 256


def initial(shape, seed):
    """Weights by their GGUF names; matrices are (out, in)."""
    rng = np.random.default_rng(seed)

    def matrix(out, into, scale=1.0):
        return (rng.standard_normal((out, into)) * scale / np.sqrt(into)).astype(np.float32)

    # The output matrix is the embedding, which llama.cpp takes when there is no `output.weight`.
    weights = {"token_embd.weight": matrix(shape.vocabulary, shape.width),
               "output_norm.weight": np.ones(shape.width, np.float32)}
    for i in range(shape.layers):
        for name in ("attn_q", "attn_k", "attn_v"):
            weights[f"blk.{i}.{name}.weight"] = matrix(shape.width, shape.width)
        weights[f"blk.{i}.attn_output.weight"] = matrix(shape.width, shape.width, 0.3)
        for name in ("ffn_gate", "ffn_up"):
            weights[f"blk.{i}.{name}.weight"] = matrix(shape.hidden, shape.width)
        weights[f"blk.{i}.ffn_down.weight"] = matrix(shape.width, shape.hidden, 0.3)
        for name in ("attn_norm", "ffn_norm"):
            weights[f"blk.{i}.{name}.weight"] = np.ones(shape.width, np.float32)
    return {name: jnp.asarray(w) for name, w in weights.items()}


def normalised(x, weight):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPSILON) * weight


def rotated(x):
    """Rotary positions on neighbouring pairs (GGUF's llama layout); x is (batch, head, position, dim)."""
    length, dim = x.shape[-2:]
    angle = np.arange(length)[:, None] * ROPE_BASE ** (-np.arange(0, dim, 2) / dim)
    cos, sin = (np.repeat(f(angle), 2, 1).astype(np.float32) for f in (np.cos, np.sin))
    # (a, b) -> (-b, a) for every pair: a small matrix product is the fastest way on a CPU.
    quarter_turn = np.kron(np.eye(dim // 2), [[0, 1], [-1, 0]]).astype(np.float32)
    return x * cos + (x @ quarter_turn) * sin


def attention(w, layer, x, heads):
    batch, length, width = x.shape
    qkv = jnp.concatenate([w[f"blk.{layer}.attn_{n}.weight"] for n in "qkv"])
    split = (x @ qkv.T).reshape(batch, length, 3 * heads, width // heads).transpose(0, 2, 1, 3)
    q, k, v = jnp.split(split, 3, 1)
    scores = rotated(q) @ rotated(k).transpose(0, 1, 3, 2) / np.sqrt(width // heads)
    causal = np.tril(np.ones((length, length), bool))
    mixed = jax.nn.softmax(jnp.where(causal, scores, -1e9), -1) @ v
    return mixed.transpose(0, 2, 1, 3).reshape(x.shape) @ w[f"blk.{layer}.attn_output.weight"].T


def feed_forward(w, layer, x):
    gate = jax.nn.silu(x @ w[f"blk.{layer}.ffn_gate.weight"].T)
    return (gate * (x @ w[f"blk.{layer}.ffn_up.weight"].T)) @ w[f"blk.{layer}.ffn_down.weight"].T


def logits(w, shape, tokens, at):
    """Scores of the next token after the positions `at` (batch, n); padding stands at the end."""
    x = w["token_embd.weight"][tokens]
    for i in range(shape.layers):
        x = x + attention(w, i, normalised(x, w[f"blk.{i}.attn_norm.weight"]), shape.heads)
        if i == shape.layers - 1:
            # Nothing after the last attention looks at other positions.
            x = jnp.take_along_axis(x, at[..., None], 1)
        x = x + feed_forward(w, i, normalised(x, w[f"blk.{i}.ffn_norm.weight"]))
    return normalised(x, w["output_norm.weight"]) @ w["token_embd.weight"].T
