"""train with init_from and trainable: a run that starts from a model's weights and changes a part of them."""

import json

import pytest

from import_test import tensors
from program import refuse, succeed

START = """\
output: {run}
init_from: {model}
steps: {steps}
data:
  sources: [{{path: {folder}/data}}]
  seq_len: 32
  batch_size: 4
optimizer: {{learning_rate: 2e-3, table_learning_rate: 4e-2, weight_decay: 0, warmup_steps: 0, schedule: constant}}
dtype: float32
threads: 1
checkpoint_every: 0
log_every: 1
tensorboard: false
"""


@pytest.fixture(scope="module")
def base_run(world):
    return world.train("to_start_from", 40, "model.memory.layers=[]")


@pytest.fixture(scope="module")
def beside(world, base_run):
    folder = world.folder / "with_memory_beside"
    succeed("import", base_run, folder, "--add-memory", "layers=1", "num_sub_keys=16", "top_k=4", "heads=2", "key_dim=16")
    return folder


def start(world, name, model, steps=4):
    run = world.folder / name
    config = world.write(f"{name}.yaml", START.format(run=run, model=model, folder=world.folder, steps=steps))
    return ["train", "--config", config], run


def newest(run):
    return sorted((run / "checkpoints").glob("step-*"))[-1]


def changed(before, after):
    return {name for name, tensor in tensors(after).items() if tensors(before)[name] != tensor}


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_it_starts_where_the_model_is(world, base_run):
    call, run = start(world, "goes_on", base_run)
    succeed(*call)
    assert losses(run)[0] < losses(base_run)[0] - 0.5  # what 40 steps taught is there
    assert json.loads((newest(run) / "config.json").read_text())["hidden_size"] == 32


def test_memory_alone_is_trained_and_the_rest_keeps_its_bytes(world, beside):
    call, run = start(world, "memory_alone", beside, steps=6)
    succeed(*call, "trainable=memory")
    names = changed(beside, newest(run))
    assert "model.memory_tables.0.weight" in names and "model.layers.1.memory.out_proj.weight" in names
    assert all(".memory." in name or "memory_tables" in name for name in names)
    kept = (newest(run) / "training_state.safetensors").read_bytes()
    assert b"q_proj.weight.exp_avg" not in kept and b"out_proj.weight.exp_avg" in kept
    assert min(losses(run)) < losses(run)[0]
    # Interrupted in the middle, it comes to the same bytes.
    call, again = start(world, "memory_alone_in_two", beside, steps=3)
    succeed(*call, "trainable=memory")
    succeed(*call, "trainable=memory", "steps=6", "--resume")
    assert tensors(newest(run)) == tensors(newest(again))
    assert "trainable" in refuse(2, *call, "trainable=all", "steps=7", "--resume")


def test_a_table_alone_is_trained(world, beside):
    first, run = start(world, "gives_it_a_projection", beside)
    succeed(*first, "trainable=memory")
    call, alone = start(world, "table_alone", run)
    succeed(*call, "trainable=table")
    assert changed(newest(run), newest(alone)) == {"model.memory_tables.0.weight"}


def test_a_table_that_could_never_learn_is_refused(world, beside):
    call, run = start(world, "never_learns", beside)
    said = refuse(2, *call, "trainable=table")
    assert "out_proj" in said and "trainable=memory" in said


def test_what_does_not_fit_is_refused(world, base_run, beside, tmp_path):
    call, run = start(world, "does_not_fit", base_run)
    assert "neither memory" in refuse(2, *call, "trainable=memory")
    said = refuse(2, *call, "model.hidden_size=64", "model.num_attention_heads=2")
    assert "hidden_size" in said and "init_from" in said
    succeed(*call, "model.hidden_size=32", "model.intermediate_size=64", "model.num_hidden_layers=2", "model.num_attention_heads=2",
            "model.max_position_embeddings=128", "model.tie_word_embeddings=true", "steps=1")  # what the folder has
    assert "no folder" in refuse(2, *call, f"init_from={tmp_path / 'none'}", "--overwrite")
    data = tmp_path / "other_data"
    succeed("prepare", "--config", world.data_config, f"output={data}", "tokenizer.vocab_size=350")
    assert "another tokenizer" in refuse(2, *call, f"data.sources.0.path={data}", "--overwrite")


def test_a_run_goes_on_where_the_model_it_began_with_is_gone(world, base_run, tmp_path):
    folder = tmp_path / "model"
    succeed("export", base_run, folder)
    call, run = start(world, "its_model_is_gone", folder, steps=2)
    succeed(*call)
    folder.rename(tmp_path / "elsewhere")
    succeed(*call, "steps=3", "--resume")
    assert len(losses(run)) == 3
