"""compare and report: two variants, two seeds, an interruption, a failure, another configuration."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from program import PROGRAM, TRAIN, interrupt_when, json_lines, refuse, run, succeed

VARIANTS = """\
title: Tiny twins
description: Forty people, read by two models.
output: {output}
baseline: dense
seeds: [1, 2]
ask_limit: 40
max_new_tokens: 8
variants:
  - name: dense
    set: ["model.memory.layers=[]"]
  - name: memory_plus
run:
"""


def compare_config(world, name, extra=""):
    """A comparison's file and its output folder."""
    output = world.folder / name
    indented = "".join("  " + line + "\n" for line in TRAIN.format(run="of-the-comparison", folder=world.folder, steps=24).splitlines())
    return world.write(f"{name}.yaml", VARIANTS.format(output=output) + indented + extra), output


@pytest.fixture(scope="module")
def compared(world):
    config, output = compare_config(world, "compared")
    return output, succeed("compare", "--config", config), config


def results_of(output):
    return json.loads((output / "results.json").read_text())


def test_every_variant_is_trained_and_asked_with_every_seed(world, compared):
    results = results_of(compared[0])
    assert [(run["variant"], run["seed"]) for run in results["runs"]] == [
        ("dense", 1), ("memory_plus", 1), ("memory_plus", 2), ("dense", 2)]  # the order turns with the seed
    assert results["variants"] == ["dense", "memory_plus"] and results["baseline"] == "dense"
    assert results["questions"] == len(world.questions())
    assert results["facts"] == 240  # forty people with six attributes
    assert results["exposures"] > 0
    assert results["machine"] and results["commit"] and results["date"].endswith("UTC")
    assert results["command"].startswith("memlayers compare --config ")


def test_curves_hold_losses_and_recalls_up_to_the_end(compared):
    for result in results_of(compared[0])["runs"]:
        curve = result["curve"]
        steps = [point["step"] for point in curve]
        assert steps == sorted(set(steps)) and steps[-1] == 24
        asked = [point for point in curve if point["recall"] >= 0]
        assert [point["step"] for point in asked] == list(range(2, 25, 2))
        assert asked[-1]["recall"] == result["unseen"]["exact_match"]
        assert all(later["seconds"] > earlier["seconds"] for earlier, later in zip(curve, curve[1:]))
        assert curve[-1]["tokens"] == 24 * 4 * 32
        assert curve[-1]["flops"] == pytest.approx(curve[-1]["tokens"] * result["flops_per_token"], rel=1e-6)
        assert curve[-1]["loss"] < curve[0]["loss"]


def test_only_the_memory_model_has_a_table_and_its_usage(compared):
    for result in results_of(compared[0])["runs"]:
        if result["variant"] == "dense":
            assert result["table_parameters"] == 0 and result["slot_usage"] == []
        else:
            assert result["table_parameters"] == 256 * 32
            (usage,) = result["slot_usage"]
            assert usage["layer"] == 1 and usage["slots"] == 256
            assert 0 < usage["used_share"] <= 1
            assert sum(usage["read_share"]) == pytest.approx(1)


def test_scores_are_those_of_the_answers_kept(world, compared):
    output = compared[0]
    for result in results_of(output)["runs"]:
        answers = json_lines(output / result["variant"] / f"seed-{result['seed']}" / "answers.jsonl")[1:]
        assert len(answers) == len(world.questions())
        unseen = [answer for answer in answers if answer["wording"] == "unseen"]
        assert result["unseen"]["questions"] == len(unseen)
        assert result["unseen"]["nats"] == pytest.approx(sum(answer["nats"] for answer in unseen) / len(unseen))


def test_the_table_is_printed_and_the_page_written(compared):
    output, result, _ = compared
    assert "Tiny twins" in result.out and str(output / "report.html") in result.out
    assert "Tiny twins" in (output / "report.html").read_text()


def test_a_step_of_each_variant_is_shown_with_its_operations(compared):
    output = compared[0]
    page = (output / "report.html").read_text()
    assert "Where a step&#39;s time goes" in page
    timed = results_of(output)["step_times"]
    assert [(each["variant"], each["seed"]) for each in timed] == [("dense", 1), ("memory_plus", 1)]
    for each in timed:
        step = each["step"]
        assert step["steps"] == 20 and step["threads"] == 1
        assert sum(op["seconds"] for op in step["ops"]) == pytest.approx(step["seconds"])
        assert sum(step["parts"].values()) == pytest.approx(step["seconds"])
        assert all(op["seconds"] >= 0 for op in step["ops"])
        groups = {op["group"] for op in step["ops"]}
        assert "matrix products" in groups and ("bag" in groups) == (each["variant"] == "memory_plus")
        products = [op for op in step["ops"] if op["group"] == "matrix products"]
        assert all(op["limit_seconds"] > 0 for op in products)
        assert all(op["limit_seconds"] is None for op in step["ops"] if op["group"] == "bookkeeping")
        assert step["rates"]["product"] > 0 and step["rates"]["memory_copy"] > 0
        assert (step["rates"]["gather"] > 0) == (each["variant"] == "memory_plus")
        kept = json.loads((output / each["variant"] / "seed-1" / "step_times.json").read_text())
        assert kept == step
    assert not (output / "dense" / "seed-2" / "step_times.json").exists()


def test_seeds_differ_and_variants_of_one_seed_start_with_the_same_data(compared):
    runs = {(run["variant"], run["seed"]): run for run in results_of(compared[0])["runs"]}
    assert runs["dense", 1]["curve"][-1]["loss"] != runs["dense", 2]["curve"][-1]["loss"]
    states = {}
    for variant in ["dense", "memory_plus"]:
        for seed in [1, 2]:
            folder = compared[0] / variant / f"seed-{seed}" / "checkpoints" / "step-00000024"
            states[variant, seed] = json.loads((folder / "state.json").read_text())["loader"]
    assert states["dense", 1] == states["memory_plus", 1]
    assert states["dense", 2] == states["memory_plus", 2]


def test_a_folder_from_before_a_key_was_known_goes_on_where_the_key_has_its_default(compared, tmp_path):
    output = tmp_path / "older"
    shutil.copytree(compared[0], output)
    path = output / "compare.json"

    def forget(*keys):
        identity = json.loads(path.read_text())
        for run in [identity["run"], *identity["variant"].values()]:
            section = run
            for key in keys[:-1]:
                section = section[key]
            del section[keys[-1]]
        path.write_text(json.dumps(identity))

    forget("model", "memory", "random_reads")
    forget("optimizer", "table_clip")
    succeed("compare", "--config", compared[2], f"output={output}")
    assert len(results_of(output)["runs"]) == 4
    forget("model", "hidden_size")  # which is not what its default says
    assert "hidden_size" in refuse(2, "compare", "--config", compared[2], f"output={output}")


def test_the_page_names_the_machines_commits_and_days_of_the_runs_not_of_the_last_call(compared, tmp_path):
    _, _, config = compared
    output = tmp_path / "elsewhere"
    shutil.copytree(compared[0], output)
    results = results_of(output)
    assert {run["commit"] for run in results["runs"]} == {results["commit"]}
    for variant, seed, other in [("dense", 1, "0123456789ab"), ("memory_plus", 2, None)]:
        path = output / variant / f"seed-{seed}" / "result.json"
        result = json.loads(path.read_text())
        if other:
            result |= {"commit": other, "machine": "an older machine", "date": "2026-01-02 03:04 UTC"}
        else:
            del result["commit"], result["machine"], result["date"]  # as results were before they held them
        path.write_text(json.dumps(result))
    succeed("compare", "--config", config, f"output={output}")
    again = results_of(output)
    assert again["commit"] == f"0123456789ab, {results['commit']}, unknown"
    assert again["machine"] == f"an older machine; {results['machine']}; unknown"
    assert again["date"].startswith("2026-01-02 03:04 UTC to ")
    assert "an older machine" in (output / "report.html").read_text()


def test_calling_again_redoes_nothing(compared):
    output, _, config = compared
    before = {path: path.stat().st_mtime_ns for path in output.rglob("step-*/model.safetensors")}
    results = results_of(output)
    succeed("compare", "--config", config)
    assert {path: path.stat().st_mtime_ns for path in output.rglob("step-*/model.safetensors")} == before
    assert results_of(output)["runs"] == results["runs"]
    assert results_of(output)["step_times"] == results["step_times"]


def test_another_configuration_is_refused_with_the_difference(compared):
    output, _, config = compared
    said = refuse(2, "compare", "--config", config, "run.steps=25")
    assert str(output) in said and "run/steps" in said and "25" in said and "24" in said


def test_more_seeds_and_variants_keep_what_is_finished(compared, tmp_path):
    output = tmp_path / "more"
    shutil.copytree(compared[0], output)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("result.json")}
    more = ["compare", "--config", compared[2], f"output={output}"]
    succeed(*more, "seeds=[1,2,3]", "variants.2.name=wider", "variants.2.set=[model.intermediate_size=96]", "profile_steps=0")
    assert len(results_of(output)["runs"]) == 9
    assert {path: path.stat().st_mtime_ns for path in before} == before
    succeed(*more, "profile_steps=0")
    assert len(results_of(output)["runs"]) == 4
    reordered = 'variants=[{name: memory_plus}, {name: dense, set: ["model.memory.layers=[]"]}]'
    succeed(*more, "profile_steps=0", "baseline=dense", reordered)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "variant/wider" in refuse(2, *more, "variants.2.name=wider", "variants.2.set=[model.intermediate_size=128]")


def test_its_words_may_change(compared):
    output, _, config = compared
    succeed("compare", "--config", config, "title=Other words")
    assert results_of(output)["title"] == "Other words"
    succeed("compare", "--config", config)


def test_an_interrupted_comparison_goes_on_to_the_same_results(world, compared):
    config, output = compare_config(world, "interrupted_comparison")
    second = output / "memory_plus" / "seed-1" / "recall.jsonl"
    stopped = interrupt_when(second.exists, "compare", "--config", config)
    assert stopped.code == 0 and "interrupted; continue with: memlayers compare" in stopped.out, stopped
    assert len(results_of(output)["runs"]) == 1
    succeed("compare", "--config", config)

    whole = [comparable(run) for run in results_of(compared[0])["runs"]]
    assert [comparable(run) for run in results_of(output)["runs"]] == whole


def comparable(run):
    curve = [(point["step"], round(point["loss"], 6), point["recall"]) for point in run["curve"]]
    return run["variant"], run["seed"], curve, run["unseen"]


class TestSideBySide:
    """--jobs: each cell in a process of its own."""

    def test_the_results_are_those_of_one_after_the_other(self, world, compared):
        config, output = compare_config(world, "side_by_side")
        said = succeed("compare", "--config", config, "--jobs", 3)
        assert [comparable(run) for run in results_of(output)["runs"]] == [comparable(run) for run in results_of(compared[0])["runs"]]
        assert results_of(output)["command"].endswith("--jobs 3")
        assert "4 cells of 4 left" in said.err and "1 cell of 4 left; about" in said.err
        log = output / "dense" / "seed-1.log"
        assert str(log) in said.err and "dense seed 1" in log.read_text()
        before = {path: path.stat().st_mtime_ns for path in output.rglob("result.json")}
        succeed("compare", "--config", config, "--jobs", 2)
        assert {path: path.stat().st_mtime_ns for path in output.rglob("result.json")} == before

    def test_an_interruption_reaches_every_cell_and_the_same_call_goes_on(self, world, compared):
        config, output = compare_config(world, "side_by_side_interrupted")
        call = ["compare", "--config", config, "--jobs", 2]
        began = [output / variant / "seed-1" / "recall.jsonl" for variant in ("dense", "memory_plus")]
        # 2,000 steps would take a minute; SIGTERM reaches this process alone.
        stopped = interrupt_when(lambda: all(path.exists() for path in began), *call, "run.steps=2000", how=signal.SIGTERM)
        assert stopped.code == 0 and "interrupted; continue with: memlayers compare" in stopped.out, stopped
        assert "--jobs 2" in stopped.out
        assert not list(output.rglob("result.json"))
        for variant in ("dense", "memory_plus"):
            saved = list((output / variant / "seed-1").rglob("state.json"))
            assert any(int(path.parent.name.removeprefix("step-")) % 10 for path in saved), saved  # where it was, not only every tenth
        shutil.rmtree(output)
        succeed(*call)
        assert [comparable(run) for run in results_of(output)["runs"]] == [comparable(run) for run in results_of(compared[0])["runs"]]

    def test_cells_end_with_the_process_that_gathers(self, world):
        config, output = compare_config(world, "side_by_side_killed")
        began = output / "dense" / "seed-1" / "recall.jsonl"
        call = ["compare", "--config", config, "seeds=[1]", "run.steps=20000", "--jobs", 2]
        interrupt_when(began.exists, *call, how=signal.SIGKILL)
        end = time.monotonic() + 20  # all their steps would take minutes
        while subprocess.run(["pgrep", "-f", str(config)], capture_output=True).stdout:
            assert time.monotonic() < end, "a cell goes on without the process that gathers"
            time.sleep(0.05)
        assert not list(output.rglob("result.json"))
        assert list(output.rglob("state.json"))  # saved where it was

    def test_a_failed_cell_is_named_with_its_reason_and_the_others_go_on(self, world):
        config, output = compare_config(world, "side_by_side_fails")
        result = run("compare", "--config", config, "seeds=[1]", "--jobs", 2, "variants.0.set=[model.vocab_size=300]")
        assert result.code == 1, result
        assert "1 of 2 runs failed" in result.error and "dense seed 1: " in result.error and "vocab_size" in result.error
        assert "memlayers compare: dense" not in result.error.split("failed: ")[1]
        assert [run["variant"] for run in results_of(output)["runs"]] == ["memory_plus"]

    def test_a_cell_that_is_killed_is_named_with_its_signal_and_the_others_go_on(self, world):
        config, output = compare_config(world, "side_by_side_one_killed")
        process = subprocess.Popen([PROGRAM, "compare", "--config", config, "seeds=[1]", "--jobs", "2", "run.steps=400"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        began = output / "dense" / "seed-1" / "recall.jsonl"
        end = time.monotonic() + 60
        while not began.exists() and time.monotonic() < end:
            time.sleep(0.005)
        children = subprocess.run(["pgrep", "-f", "-P", str(process.pid), "dense/seed-1"], capture_output=True, text=True).stdout.split()
        assert len(children) == 1, children
        os.kill(int(children[0]), signal.SIGKILL)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 1 and "dense seed 1: ended by signal 9 (Killed)" in err, err
        assert [run["variant"] for run in results_of(output)["runs"]] == ["memory_plus"]

    def test_a_number_that_is_none_and_a_file_that_only_one_can_read_are_refused(self, world, tmp_path):
        config, _ = compare_config(world, "side_by_side_refused")
        assert "--jobs" in refuse(2, "compare", "--config", config, "--jobs", 0)
        pipe = tmp_path / "config.yaml"
        os.mkfifo(pipe)
        writer = subprocess.Popen(["cp", config, pipe])
        assert "--jobs" in refuse(2, "compare", "--config", pipe, "--jobs", 2)
        writer.wait(timeout=10)


def test_a_failed_run_is_reported_and_the_others_go_on(world):
    # Refused by the trainer only once it sees the data: fewer tokens than the data has.
    config, output = compare_config(world, "one_fails")
    result = run("compare", "--config", config, "seeds=[1]", "variants.0.set=[model.vocab_size=300]")
    assert result.code == 1, result
    assert "1 of 2 runs failed" in result.error and "dense seed 1" in result.error and "vocab_size" in result.error
    assert [run["variant"] for run in results_of(output)["runs"]] == ["memory_plus"]
    assert (output / "report.html").exists()


class TestStepTimes:
    @pytest.fixture
    def brought(self, world, compared, tmp_path):
        """A comparison's folder as another call finds it, to be changed."""
        output = tmp_path / "brought"
        shutil.copytree(compared[0], output)
        return output, lambda *more: succeed("compare", "--config", compared[2], f"output={output}", *more)

    def test_another_number_of_steps_is_taken_anew(self, brought):
        output, again = brought
        again("profile_steps=2")
        assert {each["step"]["steps"] for each in results_of(output)["step_times"]} == {2}

    def test_none_are_taken_where_none_are_wanted(self, brought):
        output, again = brought
        again("profile_steps=0")
        assert results_of(output)["step_times"] == []
        assert "time goes" not in (output / "report.html").read_text()

    def test_an_interruption_saves_none_and_the_next_call_takes_them(self, brought, compared):
        output, again = brought
        path = output / "dense" / "seed-1" / "step_times.json"
        path.unlink()
        begin = time.monotonic()
        stopped = interrupt_when(lambda: time.monotonic() > begin + 3, "compare", "--config", compared[2],
                                 f"output={output}", "profile_steps=1000000")
        assert stopped.code == 0 and "interrupted; continue with: memlayers compare" in stopped.out, stopped
        assert not path.exists()
        again()
        assert path.exists() and len(results_of(output)["step_times"]) == 2

    def test_damaged_times_are_measured_again(self, brought):
        output, again = brought
        path = output / "dense" / "seed-1" / "step_times.json"
        path.write_text(path.read_text()[:100])
        assert "timed again" in again().err
        assert json.loads(path.read_text())["steps"] == 20

    def test_results_without_their_checkpoints_still_make_a_report(self, brought):
        output, again = brought
        (output / "dense" / "seed-1" / "step_times.json").unlink()
        shutil.rmtree(output / "dense" / "seed-1" / "checkpoints")
        said = again()
        assert "dense seed 1: the time of its steps could not be measured" in said.err
        assert [each["variant"] for each in results_of(output)["step_times"]] == ["memory_plus"]
        assert "Where a step&#39;s time goes" in (output / "report.html").read_text()


def test_variants_that_read_other_data_are_refused(world):
    config, _ = compare_config(world, "other_data")
    assert "data.*" in refuse(2, "compare", "--config", config, "variants.0.set=[data.seq_len=16]")


def test_naming_a_comparison_where_a_run_is_meant_says_so(compared):
    said = refuse(2, "generate", compared[0], "Hello")
    assert "comparison" in said and "seed-1" in said


class TestReport:
    def test_the_page_is_written_again(self, compared, tmp_path):
        page = tmp_path / "page.html"
        out = succeed("report", compared[0] / "results.json", "--output", page).out
        assert "Tiny twins" in out and "Tiny twins" in page.read_text()

    def test_damaged_results_are_refused(self, compared, tmp_path):
        text = (compared[0] / "results.json").read_text()
        (tmp_path / "results.json").write_text(text[: len(text) // 2])
        assert "results.json" in refuse(2, "report", tmp_path / "results.json")

    def test_missing_results_are_refused(self, tmp_path):
        assert "results.json" in refuse(1, "report", tmp_path / "results.json")
