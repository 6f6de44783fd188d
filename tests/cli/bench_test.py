"""bench: its list, its lines, and what it refuses. The numbers themselves are not judged here."""

import json
import math
import signal
import subprocess

import pytest

from program import PROGRAM, refuse, succeed

NAMES = ["selection", "selection_backward", "bag_forward", "bag_weight_gradient", "bag_backward_update", "train_step", "decode",
         "train_memory"]
FIELDS = ["name", "shape", "distribution", "dtype", "threads", "seconds", "against", "against_seconds", "ratio", "runs", "spread"]


def lines_of(*arguments, **options):
    out = succeed("bench", *arguments, "--quick", "--json", **options).out
    return [json.loads(line) for line in out.splitlines()]


def test_the_list_names_every_benchmark():
    result = succeed("bench", "--list")
    assert [line.split()[0] for line in result.out.splitlines()] == NAMES
    assert result.err == ""


def test_selection_prints_a_line_a_case_with_finite_positive_numbers():
    lines = lines_of("selection")
    assert len(lines) >= 2
    for line in lines:
        assert list(line)[:len(FIELDS)] == FIELDS
        assert line["name"] == "selection" and line["against"] == "torch"
        assert line["shape"]["n"] >= line["shape"]["k"] > 0
        for key in ["seconds", "against_seconds", "ratio", "runs"]:
            assert math.isfinite(line[key]) and line[key] > 0, line
    assert {line["dtype"] for line in lines} == {"float32", "bfloat16"}


def test_bags_are_compared_with_torch_and_with_the_machine(trained):
    lines = lines_of("bag_forward", "--dtype", "float32", "--run", trained, timeout=300)
    assert {line["against"] for line in lines} == {"torch", "torch_gather", "gather_limit", "copy_limit"}
    assert {line["distribution"] for line in lines} == {"uniform", "trained"}
    assert all(line["ratio"] > 0 and line["bytes_per_second"] > 0 for line in lines)
    assert {line["shape"]["S"] for line in lines if line["distribution"] == "trained"} == {256}


@pytest.fixture(scope="module")
def twins(world):
    """A comparison's file with a tiny dense model and its memory twin."""
    from compare_test import compare_config
    return compare_config(world, "bench_twins")[0]


def test_models_are_those_of_the_comparison_that_is_named(twins):
    lines = lines_of("decode", "train_step", "--config", twins)
    assert [(line["name"], line["shape"]["B"]) for line in lines] == [("train_step", 4), ("decode", 1), ("decode", 16)]
    for line in lines:
        assert line["against"] == "dense_twin" and line["shape"]["model"] == "bench_twins" and line["shape"]["d"] == 32
        assert line["tokens_per_second"] > 0 and line["against_tokens_per_second"] > 0
    assert {"forward", "backward", "row_gradient_and_norms", "update", "ops"} == set(lines[0]["parts"])


def test_mixtures_are_compared_by_flops_a_second(world, twins):
    text = twins.read_text()
    assert text.count("variants:\n") == 1
    changes = ["memory.layers=[]", "experts.layers=[0, 1]", "experts.num_experts=4", "experts.top_k=2", "experts.intermediate_size=64"]
    mixture = "  - {name: top2, set: " + json.dumps(["model." + change for change in changes]) + "}\n"
    config = world.write("bench_mixture.yaml", text.replace("variants:\n", "variants:\n" + mixture))
    lines = lines_of("train_step", "--config", config)
    assert [line["shape"]["model"] for line in lines] == ["bench_mixture", "bench_mixture top2"]
    assert "utilization_ratio" not in lines[0]
    line = lines[1]
    assert line["shape"]["E"] == 4 and line["shape"]["experts_per_token"] == 2 and line["against"] == "dense_twin"
    assert line["flops_per_second"] > 0 and line["against_flops_per_second"] > 0
    work = line["flops_per_second"] * line["seconds"] / (line["against_flops_per_second"] * line["against_seconds"])
    assert work > 1  # two experts a token
    assert line["utilization_ratio"] == pytest.approx(line["ratio"] * work)


def test_a_trained_run_goes_on_beside_its_dense_twin(twins, trained):
    lines = lines_of("train_step", "decode", "--config", twins, "--run", trained)
    of_run = [line for line in lines if line["shape"]["model"] == "run"]
    assert [(line["name"], line["distribution"]) for line in of_run] == [("train_step", "trained"), ("decode", "trained"),
                                                                         ("decode", "trained")]
    assert 0 < of_run[0]["touched_rows"] <= 256
    assert (trained / "checkpoints" / "step-00000040").exists() and len(list((trained / "checkpoints").iterdir())) == 2


def test_the_peak_memory_of_a_step_is_within_its_bound(twins):
    for line in lines_of("train_memory", "--config", twins):
        assert 0 < line["kept_bytes"] < line["peak_bytes"] <= line["limit_bytes"]
        assert line["against"] is None and line["ratio"] is None


def test_without_json_it_prints_a_table():
    out = succeed("bench", "selection", "--quick").out
    heading, *rows = out.splitlines()
    assert heading.split()[:2] == ["name", "shape"] and len(rows) >= 2
    assert all(row.startswith("selection ") for row in rows)


@pytest.mark.parametrize("arguments,words", [
    (["selektion"], ["'selektion'", "'selection'"]),
    (["selection", "bag_fwd_x"], ["bag_fwd_x", "--list"]),
    (["selection", "--dtype", "int8"], ["int8"]),
    (["selection", "--dtype", "int3"], ["int3"]),
    (["selection", "--threads", "-1"], ["threads"]),
])
def test_what_it_cannot_measure_is_refused(arguments, words):
    said = refuse(2, "bench", "--quick", *arguments)
    for word in words:
        assert word in said, said


def test_models_must_come_as_a_comparison_of_dense_and_memory(world, twins):
    assert "nowhere.yaml" in refuse(1, "bench", "decode", "--quick", "--config", world.folder / "nowhere.yaml")
    one = world.write("one_variant.yaml", twins.read_text().replace('["model.memory.layers=[]"]', "[]"))
    assert "without memory layers" in refuse(2, "bench", "decode", "--quick", "--config", one)


def test_a_run_without_memory_is_refused(world, twins):
    run = world.train("dense_run", 2, "model.memory.layers=[]")
    assert "no memory layers" in refuse(2, "bench", "bag_forward", "--quick", "--run", run)


def test_an_interruption_keeps_what_was_measured():
    process = subprocess.Popen([PROGRAM, "bench", "selection", "bag_forward", "--json"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and "interrupted" in err, err
    lines = [json.loads(line) for line in (first + rest).splitlines()]
    assert 1 <= len(lines) < 11 and all(line["ratio"] > 0 for line in lines)


def processes_of(session):
    """Ids of the processes of a session."""
    found = subprocess.run(["ps", "-o", "pid=", "-s", str(session)], capture_output=True, text=True)
    return found.stdout.split()


def test_training_beside_a_load_compares_threads_for_both_twins_and_leaves_no_load(twins):
    command = [PROGRAM, "bench", "train_step", "--beside-load", "--quick", "--json", "--threads", "2", "--config", str(twins)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    lines = [json.loads(line) for line in started.communicate(timeout=120)[0].splitlines()]
    assert started.returncode == 0
    assert [(line["shape"]["model"], line["against"]) for line in lines] == [("bench_twins dense", "one_thread"),
                                                                             ("bench_twins", "one_thread")]
    assert all(line["threads"] == 2 and line["ratio"] > 0 and line["busy_core"] >= 0 for line in lines)
    assert processes_of(started.pid) == []


def test_a_load_beside_other_benchmarks_is_refused():
    assert "train_step --beside-load" in refuse(2, "bench", "decode", "--beside-load")
