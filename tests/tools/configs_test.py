"""The configurations that README and ./quickstart name work with the built program, scaled down to seconds."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("MEMLAYERS_PROGRAM", str(ROOT / "build/release/memlayers"))


def run(*arguments):
    result = subprocess.run([PROGRAM, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False,
                            stdin=subprocess.DEVNULL, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The quickstart's data with 120 facts."""
    folder = tmp_path_factory.mktemp("prepared") / "data"
    run("prepare", "--config", "configs/quickstart/data.yaml", f"output={folder}", "sources.0.limit_facts=120",
        "tokenizer.vocab_size=600")
    return folder


def test_the_quickstart_has_real_facts_in_trained_and_in_unseen_wordings(data):
    prepared = json.loads((data / "prepare.json").read_text())
    assert prepared["facts"]["count"] == 120
    assert prepared["facts"]["exposures_per_epoch"] == 6
    questions = [json.loads(line) for line in (data / "questions.jsonl").read_text().splitlines()]
    assert {question["wording"] for question in questions} == {"seen", "unseen"}
    kinds = {question["relation"].split("_")[0] for question in questions}
    assert kinds == {"country", "subdivision", "language", "currency", "script"}


def test_the_quickstart_compares_a_dense_model_with_its_memory_twin(data, tmp_path):
    table = run("compare", "--config", "configs/quickstart/compare.yaml", f"run.data.sources.0.path={data}",
                f"output={tmp_path}", "run.steps=3", "run.optimizer.warmup_steps=1", "run.data.batch_size=4",
                "ask_limit=20")
    assert str(tmp_path / "report.html") in table
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["variants"] == ["dense", "memory_plus"]
    dense, memory = results["runs"]
    # Half of the feed-forwards give way to memory layers that share one table of 256 * 256 rows of width 64.
    assert dense["table_parameters"] == 0
    assert memory["table_parameters"] == 256 * 256 * 64
    assert memory["parameters"] - memory["table_parameters"] < 1.3 * dense["parameters"]
    assert [point["tokens"] for point in dense["curve"]] == [point["tokens"] for point in memory["curve"]]
    assert "<svg" in (tmp_path / "report.html").read_text()


def test_the_debug_configuration_trains_and_its_model_generates(data, tmp_path):
    run("train", "--config", "configs/debug.yaml", f"data.sources.0.path={data}", f"output={tmp_path / 'run'}", "steps=20")
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]
    assert run("generate", tmp_path / "run", "The two-letter code of").startswith("The two-letter code of")


def test_the_example_for_own_text_prepares_and_trains(tmp_path):
    text = tmp_path / "my_text.jsonl"
    lines = [{"text": f"Line {i} of a small corpus says that {i} times {i} is {i * i}."} for i in range(400)]
    text.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("prepare", "--config", "configs/example_data.yaml", f"sources.0.path={text}", f"output={tmp_path / 'data'}",
        "tokenizer.vocab_size=400")
    run("train", "--config", "configs/example_train.yaml", f"data.sources.0.path={tmp_path / 'data'}",
        f"output={tmp_path / 'run'}", "steps=2", "optimizer.warmup_steps=1", "data.batch_size=2",
        "model.hidden_size=64", "validate_every=2")
    assert (tmp_path / "run/checkpoints").is_dir()


def test_the_example_model_is_as_large_as_its_comment_says():
    sizes = json.loads(run("plan", "configs/example_train.yaml", "model.vocab_size=16000", "--json"))["parameters"]
    comment = (ROOT / "configs/example_train.yaml").read_text().split("output:")[0].replace("\n# ", " ")
    assert f"{(sizes['total'] - sizes['tables']) / 1e6:.1f} M dense parameters" in comment
    assert f"{(sizes['embedding'] + sizes['head']) / 1e6:.1f} M of them embedding and head" in comment
    assert f"a table of {sizes['tables'] / 1e6:.1f} M" in comment
