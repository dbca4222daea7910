"""Makes `field-report.gguf` from nothing: generates reports, trains, writes the GGUF, measures it.

    python make.py                                         everything, measured with the weights read back from the GGUF
    python make.py --runner PANNIER_LLAMA                  everything, and measured with llama.cpp as well
    python make.py --runner PANNIER_LLAMA --measure-only   measures the GGUF that is there

PANNIER_LLAMA is the worker `pannier-llama`, asked directly (`--ask`), one report a process.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import random
import subprocess
import tempfile
import time
from pathlib import Path

# One thread: the same sums in the same order in every run. To be set before JAX is loaded.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["OMP_NUM_THREADS"] = "1"

import gguf_write
import noise
import phrases
import reports
import tokenizer as T
import train
from model import Shape, initial

HERE = Path(__file__).parent
MODEL, HELD_OUT, HAND_WRITTEN, ACCURACY = (
    HERE / name for name in ("field-report.gguf", "held_out.jsonl", "hand_written.jsonl", "accuracy.json"))

SEED = 20260
VOCABULARY = 1280
# First on harder noise than the task has, then on the task, then on the task once more at a low rate.
STAGES = (
    (noise.HARD, train.Stage(steps=3100, peak=1.0, cool_down=700)),
    (noise.USUAL, train.Stage(steps=1600, peak=0.6, cool_down=1600)),
    (noise.USUAL, train.Stage(steps=600, peak=0.25, cool_down=600)),
    (noise.USUAL, train.Stage(steps=1500, peak=0.3, cool_down=1500)),
)
LOAD = 20_000  # reports generated at a time
HELD_OUT_SEED, HELD_OUT_EACH = 777, 600  # so many of every kind of reports.KINDS
WITH_SYSTEM = 0.04  # share of training prompts that carry a system message


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runner", help="path of the worker `pannier-llama`")
    options.add_argument("--measure-only", action="store_true")
    options = options.parse_args()

    started = time.time()
    held_out = reports.held_out(random.Random(HELD_OUT_SEED), HELD_OUT_EACH)
    tokens = train_tokenizer()
    shape = Shape(vocabulary=len(tokens))
    result = json.loads(ACCURACY.read_text()) if options.measure_only else {}
    if not options.measure_only:
        write_held_out(held_out)
        weights, trained_on = train_model(tokens, shape, held_out)
        gguf_write.write(MODEL, weights, shape, tokens)
        seconds = round(time.time() - started)
        steps = [stage.steps for _, stage in STAGES]
        result = {"training": {"reports": trained_on, "steps": steps, "seconds": seconds}}
    result |= {
        "model": MODEL.name, "bytes": MODEL.stat().st_size, "sha256": sha256(MODEL),
        "held_out": HELD_OUT.name, "held_out_sha256": sha256(HELD_OUT),
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {processor()}, one thread, Python {platform.python_version()}",
    }
    asked = read_questions(HELD_OUT) + read_questions(HAND_WRITTEN)
    prompts = [tokens.encode(T.prompt(report)) for report, _ in asked]
    own = [tokens.decode(ids) for ids in
           train.answers(gguf_write.read_weights(MODEL), shape, prompts, tokens.ids[T.IM_END])]
    result["jax"] = score(asked, own, held_out)
    if options.runner:
        theirs = run_llama(options.runner, asked)
        result["llama.cpp"] = score(asked, theirs, held_out)
        result["llama.cpp"]["answers_unlike_jax"] = sum(a != b for a, b in zip(own, theirs))
    ACCURACY.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def train_tokenizer():
    rng = random.Random(SEED + 2)
    sample = [reports.write(rng, noises=noise.HARD) for _ in range(LOAD)]
    return T.train([r.text for r in sample] + [r.answer for r in sample], VOCABULARY)


def train_model(tokens, shape, held_out):
    """(weights, number of reports generated); fails if one of the held-out set turns up."""
    used = 0

    def loads(noises, first):
        def examples(load):
            nonlocal used
            used += LOAD
            return training_examples(tokens, held_out, noises, first + load)
        return examples

    weights = initial(shape, SEED)
    for i, (noises, stage) in enumerate(STAGES):
        weights = train.train(weights, shape, stage, loads(noises, 500 * i), SEED + i)
    return weights, used


def training_examples(tokens, held_out, noises, load):
    """One load of (prompt, answer) as token ids."""
    held_texts = {reports.key(r.text) for _, r in held_out}
    held_combinations = {r.combination for kind, r in held_out if kind == "combination"}
    rng = random.Random(SEED * 1000 + load)
    out = []
    for _ in range(LOAD):
        report = reports.write(rng, noises=noises)
        assert reports.key(report.text) not in held_texts, report.text
        assert report.combination not in held_combinations, report.text
        system = rng.choice(phrases.SYSTEM) if rng.random() < WITH_SYSTEM else None
        out.append((tokens.encode(T.prompt(report.text, system)),
                    tokens.encode(report.answer) + [tokens.ids[T.IM_END]]))
    return out


def write_held_out(held_out):
    lines = [json.dumps({"report": r.text, "answer": json.loads(r.answer)}) for _, r in held_out]
    HELD_OUT.write_text("\n".join(lines) + "\n")


def read_questions(path):
    """[(report, the one right answer as text)]"""
    rows = map(json.loads, path.read_text().splitlines())
    return [(row["report"], json.dumps(row["answer"], separators=(",", ":"))) for row in rows]


def run_llama(runner, asked):
    """llama.cpp's answers, each asked by a worker of its own, as the node would."""
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        question = Path(folder) / "ask.txt"
        for report, _ in asked:
            question.write_text(report)
            command = [runner, "--ask", MODEL, "--kind", "chat", "-p", "temperature=0", "-p", "max_tokens=32", question]
            answers.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answers


def score(asked, answers, held_out):
    """Exact matches: the answer has to be the expected line, character by character."""
    right = [answer == wanted for (_, wanted), answer in zip(asked, answers)]
    n = len(held_out)
    by_kind = {kind: share([ok for ok, (k, _) in zip(right, held_out) if k == kind])
               for kind in reports.KINDS}
    return {"n": n, "exact": share(right[:n]), "exact_by_kind": by_kind,
            "hand_written_n": len(right) - n, "hand_written_exact": share(right[n:])}


def share(flags):
    return round(sum(flags) / len(flags), 4)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def processor():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
