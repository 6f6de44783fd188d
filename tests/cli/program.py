"""The program as a user runs it, and a tiny world to run it in."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

PROGRAM = os.environ.get("MEMLAYERS_PROGRAM", str(Path(__file__).parents[2] / "build/release/memlayers"))

DATA = """\
output: {folder}/data
tokenizer: {{kind: sentencepiece, vocab_size: 400}}
sources:
  - {{kind: biographies, people: 40, copies: 4}}
validation_share: 0.02
seed: 1
"""

# {run} is the run's folder; a step takes some milliseconds.
TRAIN = """\
output: {run}
steps: {steps}
model:
  vocab_size: 0
  hidden_size: 32
  intermediate_size: 64
  num_hidden_layers: 2
  num_attention_heads: 2
  max_position_embeddings: 128
  tie_word_embeddings: true
  memory: {{layers: [1], num_sub_keys: 16, heads: 2, top_k: 4, key_dim: 16, qk_norm: true}}
data:
  sources: [{{path: {folder}/data}}]
  seq_len: 32
  batch_size: 4
optimizer: {{learning_rate: 2e-3, table_learning_rate: 4e-3, table_weight_decay: 0, warmup_steps: 2}}
dtype: float32
threads: 1
checkpoint_every: 10
log_every: 5
tensorboard: false
"""


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"

    @property
    def error(self):
        """The last line of stderr that the program itself reports."""
        lines = [line for line in self.err.splitlines() if line.startswith("memlayers")]
        return lines[-1] if lines else ""


def run(*arguments, env=None, stdin="", timeout=120, cwd=None):
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
    )
    return Result(done.returncode, done.stdout, done.stderr)


def succeed(*arguments, **options):
    result = run(*arguments, **options)
    assert result.code == 0, result
    return result


def refuse(code, *arguments, **options):
    """Runs what must fail with `code`, and gives the one line it says."""
    result = run(*arguments, **options)
    assert result.code == code, result
    said = [line for line in result.err.splitlines() if line.startswith("memlayers")]
    assert len(said) == 1, result
    assert "terminate called" not in result.err and "Traceback" not in result.err, result
    return said[0]


def interrupt_when(condition, *arguments, how=signal.SIGINT, timeout=120):
    """Starts the program, signals it once `condition()` holds, and waits for its end."""
    process = subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        end = time.monotonic() + timeout
        while process.poll() is None and not condition():
            assert time.monotonic() < end, "the program did not come so far"
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(how)
        out, err = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            process.kill()
    return Result(process.returncode, out, err)


def json_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


class World:
    """A folder with prepared data and a training configuration."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.data_config = self.write("data.yaml", DATA.format(folder=folder))
        self.data = self.folder / "data"

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def prepare(self):
        return succeed("prepare", "--config", self.data_config)

    def config(self, run="run", steps=40, name=None):
        """A training configuration's file, and the folder of its run."""
        folder = self.folder / run
        text = TRAIN.format(run=folder, folder=self.folder, steps=steps)
        return self.write(name or f"{run}.yaml", text), folder

    def train(self, run="run", steps=40, *overrides):
        config, folder = self.config(run, steps)
        succeed("train", "--config", config, *overrides)
        return folder

    def questions(self):
        return json_lines(self.data / "questions.jsonl")
