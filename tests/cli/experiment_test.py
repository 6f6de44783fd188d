"""experiment: a file with data, variants, seeds and criteria; a kill, a failed cell, missing data; the index over all."""

import csv
import gzip
import json
import shutil
import signal

import pytest

from program import TRAIN, interrupt_when, json_lines, refuse, run, succeed

EXPERIMENT = """\
title: Tiny experiment
description: Forty people, read by two models.
paper: Table 0
output: {output}
seeds: [1, 2]
ask_limit: 20
max_new_tokens: 8
profile_steps: 0
prepared:
  - prepare:
      output: {output}-data
      tokenizer: {{kind: sentencepiece, vocab_size: 400}}
      sources: [{{kind: biographies, people: 40, copies: 4}}]
      validation_share: 0.1
  - optional: true
    prepare: {{output: {output}-text, sources: [{{kind: text, path: {folder}/no-such-file.txt}}]}}
variants:
  - {{name: dense, set: ["model.memory.layers=[]"]}}
  - name: memory_plus
scales:
  - {{name: longer, set: [run.steps=36]}}
losses:
  - {{name: held_out_loss, path: {output}-data, batches: 2}}
  - {{name: text_loss, path: {output}-text}}
capacity: {{path: {output}-data, formats: [float32, int4]}}
metrics: [recall, nats, held_out_loss, text_loss, stored_bits]
criteria:
  - {{name: memory has fewer nats, metric: nats, order: [dense, memory_plus]}}
  - {{name: memory learns, metric: held_out_loss, order: [memory_plus], at_most: 50}}
  - {{name: memory reads text, metric: text_loss, order: [memory_plus], at_most: 50}}
figures:
  - title: Nats
    metric: nats
    groups: [tiny]
    series: [{{name: Dense, variants: [dense]}}, {{name: Memory+, variants: [memory_plus]}}]
published:
  - {{caption: Table 0, head: [model, score], rows: [[Dense, "1.5"]]}}
run:
"""


def experiment_file(world, name, extra=""):
    """An experiment's file and its output folder."""
    output = world.folder / "experiments" / name
    lines = TRAIN.format(run="of-the-experiment", folder=world.folder, steps=24).replace(
        f"{world.folder}/data}}", f"{output}-data}}, {{path: {output}-text}}").splitlines()
    text = EXPERIMENT.format(output=output, folder=world.folder) + "".join("  " + line + "\n" for line in lines) + extra
    return world.write(f"{name}.yaml", text), output


@pytest.fixture(scope="module")
def done(world):
    file, output = experiment_file(world, "tiny")
    result = succeed("experiment", file, "run.validate_every=24", "run.validation_batches=2", "run.data.seed=0")
    return output, result, file


def measures_of(run):
    return {each["name"]: each["value"] for each in run["measures"]}


def criteria_of(output):
    return {each["name"]: each for each in json.loads((output / "criteria.json").read_text())}


def test_data_are_prepared_and_every_cell_is_run(done):
    experiment = json.loads((done[0] / "experiment.json").read_text())
    runs = experiment["comparison"]["runs"]
    assert sorted((each["variant"], each["seed"]) for each in runs) == [
        ("dense", 1), ("dense", 2), ("memory_plus", 1), ("memory_plus", 2)]
    assert experiment["comparison"]["facts"] == 240
    assert experiment["failures"] == []


def test_data_that_are_not_there_are_left_out_and_said_to_be(done):
    output, result, _ = done
    (missing,) = json.loads((output / "experiment.json").read_text())["left_out"]
    assert "no-such-file.txt is not there" in missing
    assert "no-such-file.txt is not there" in (output / "report.html").read_text()
    assert "no-such-file.txt is not there" in result.out


def test_criteria_are_decided_and_say_what_they_rest_on(done):
    criteria = criteria_of(done[0])
    nats = criteria["memory has fewer nats"]
    assert nats["met"] in (True, False) and nats["seeds"] == 2
    assert nats["interval"][0] <= nats["value"] <= nats["interval"][1]
    assert (nats["interval"][0] > 0) == nats["met"]
    assert criteria["memory learns"]["met"] is True and 0 < criteria["memory learns"]["value"] < 50
    assert criteria["memory reads text"]["met"] is None and criteria["memory reads text"]["note"] == "not measured"


def test_the_held_out_loss_is_the_trainers_validation_loss(done):
    # Both read two batches of the same split in the order of data seed 1.
    output = done[0]
    for each in json.loads((output / "experiment.json").read_text())["comparison"]["runs"]:
        if each["seed"] != 1:
            continue
        trained = json_lines(output / each["variant"] / "seed-1" / "metrics.jsonl")[-1]["validation_loss"]
        assert measures_of(each)["held_out_loss"] == pytest.approx(trained, abs=1e-6)


def test_bits_are_those_of_the_capacity_command(done):
    output = done[0]
    for each in json.loads((output / "experiment.json").read_text())["comparison"]["runs"]:
        measures = measures_of(each)
        model = output / each["variant"] / f"seed-{each['seed']}"
        for name in ["float32", "int4"]:
            tables = ["--table-dtype", name] if each["table_parameters"] else []
            bits = json.loads(succeed("capacity", model, "--json", "--weight-dtype", name, *tables).out)
            assert measures[f"bits_per_parameter_{name}"] == pytest.approx(bits["bits_per_parameter"]["bits"])
            assert measures[f"bits_per_byte_{name}"] == pytest.approx(bits["bits_per_byte"]["bits"])
        assert ("table_bits_per_parameter_int4" in measures) == (each["table_parameters"] > 0)
        assert 0 <= measures["extractable_bits"] and measures["value_bits"] <= measures["stored_bits"]


def test_results_are_there_for_other_programs_and_for_people(done):
    output, result, _ = done
    rows = list(csv.DictReader((output / "results.csv").open()))
    runs = json.loads((output / "experiment.json").read_text())["comparison"]["runs"]
    for each in runs:
        (row,) = [row for row in rows if row["variant"] == each["variant"] and int(row["seed"]) == each["seed"]
                  and row["metric"] == "nats"]
        assert float(row["value"]) == pytest.approx(each["unseen"]["nats"])
    for name in ["report.html", "runs.html", "results.md", "figures/chart-1-nats.svg"]:
        assert (output / name).stat().st_size > 0, name
    assert (output / "results.md").read_text() in result.out
    page = (output / "report.html").read_text()
    assert "Table 0" in page and "1.5" in page and "memory has fewer nats" in page


def left_lines(result):
    return [line for line in result.err.splitlines() if "cells of" in line or "cell of" in line]


def test_it_says_how_many_cells_are_left_and_how_long_they_take(world, done, tmp_path):
    first, *later = left_lines(done[1])
    assert first.endswith("4 cells of 4 left")  # nobody knows how long yet
    assert [line.split("; about ")[0].split()[-5:] for line in later] == [
        ["3", "cells", "of", "4", "left"], ["2", "cells", "of", "4", "left"], ["1", "cell", "of", "4", "left"]]
    assert all(line.split("; about ")[1].endswith((" s", " min")) for line in later)
    output = tmp_path / "goes_on"
    shutil.copytree(done[0], output)
    unchanged = [f"output={output}", "run.validate_every=24", "run.validation_batches=2", "run.data.seed=0"]
    assert left_lines(succeed("experiment", done[2], *unchanged)) == []
    seconds = 7200  # as if a dense cell took two hours here
    for name, fields in [("dense/seed-1", {}), ("memory_plus/seed-1", {"machine": "another one"})]:
        path = output / name / "result.json"
        result = json.loads(path.read_text()) | fields
        result["curve"][-1]["seconds"] = seconds
        path.write_text(json.dumps(result))
    shutil.rmtree(output / "dense" / "seed-2")
    (line,) = left_lines(succeed("experiment", done[2], *unchanged))
    assert line.endswith("1 cell of 4 left; about 2 h")
    shutil.rmtree(output / "dense" / "seed-2")
    assert left_lines(succeed("experiment", done[2], *unchanged, "--only", "memory_plus")) == []  # nothing of it is left


def mean(values):
    return sum(values) / len(values)


def test_answers_are_broken_down_by_length_and_spread(done):
    output = done[0]
    for each in json.loads((output / "experiment.json").read_text())["comparison"]["runs"]:
        answers = json_lines(output / each["variant"] / f"seed-{each['seed']}" / "answers.jsonl")[1:]
        lengths, spread = each["answers"]["lengths"], each["answers"]["spread"]
        for wording in ["seen", "unseen"]:
            said = [answer for answer in answers if answer["wording"] == wording]
            of_wording = [length for length in lengths if length["wording"] == wording]
            assert len({length["tokens"] for length in of_wording}) == len(of_wording) > 1
            assert all(1 <= length["tokens"] <= 5 for length in of_wording)
            assert sum(length["questions"] for length in of_wording) == len(said)
            for name, field in [("exact_match", "exact_match"), ("nats", "nats")]:
                total = sum(length[name] * length["questions"] for length in of_wording)
                assert total == pytest.approx(sum(answer[field] for answer in said))
            first = sum(length["first_nats"] * length["questions"] for length in of_wording)
            assert first == pytest.approx(sum(answer["nats_by_token"][0] for answer in said))
            (told,) = [one for one in spread if one["wording"] == wording]
            bounds = [0.5, 1, 2, 4, 8, 16, 32]
            assert told["below"] == pytest.approx([mean([answer["nats"] < bound for answer in said]) for bound in bounds])
            assert told["lower_quartile"] <= told["median"] <= told["upper_quartile"]
        for answer in answers:
            assert sum(answer["nats_by_token"]) == pytest.approx(answer["nats"], abs=1e-3)


def test_cells_of_an_older_program_are_broken_down_when_called_again(done, tmp_path):
    output = tmp_path / "older"
    shutil.copytree(done[0], output)
    expected = json.loads((output / "experiment.json").read_text())["comparison"]["runs"]
    for path in output.rglob("result.json"):  # as a program of before left them
        result = json.loads(path.read_text())
        del result["answers"]
        path.write_text(json.dumps(result))
        answers = json_lines(path.parent / "answers.jsonl")
        for answer in answers:
            answer.pop("nats_by_token", None)
        (path.parent / "answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    figures = "figures=[{kind: answers, metric: nats}, {kind: answers, metric: recall}, {kind: relations, metric: nats}]"
    succeed("experiment", done[2], f"output={output}", figures, "run.validate_every=24", "run.validation_batches=2",
            "run.data.seed=0")
    for before, now in zip(expected, json.loads((output / "experiment.json").read_text())["comparison"]["runs"]):
        for length in before["answers"]["lengths"]:
            length["first_nats"] = None  # nobody kept it
        assert now == before
    text = (output / "results.md").read_text()
    assert "Nats per answer by length of the answer, wordings never read:" in text
    assert "Spread of nats over the questions, wordings never read:" in text
    assert "first token" not in text
    charts = sorted(path.name for path in (output / "figures").glob("*.svg"))
    assert charts == ["chart-nats-length.svg", "chart-nats-relation.svg", "chart-nats-spread.svg", "chart-recall-length.svg"]
    assert "expected recall, recall_seen, nats or nats_seen" in refuse(
        2, "experiment", done[2], "figures=[{kind: answers, metric: loss}]")


def test_calling_again_redoes_nothing(done):
    output, _, file = done
    before = {path: path.stat().st_mtime_ns for path in output.rglob("result.json")}
    assert len(before) == 4
    succeed("experiment", file, "run.validate_every=24", "run.validation_batches=2", "run.data.seed=0")
    assert {path: path.stat().st_mtime_ns for path in output.rglob("result.json")} == before


def test_other_measures_are_refused(done):
    said = refuse(2, "experiment", done[2], "run.validate_every=24", "run.validation_batches=2", "run.data.seed=0",
                  "losses.0.batches=3")
    assert "measures" in said


def test_an_interrupted_experiment_keeps_its_cells(world):
    file, output = experiment_file(world, "interrupted_experiment")
    second = output / "memory_plus" / "seed-1" / "recall.jsonl"
    stopped = interrupt_when(second.exists, "experiment", file)
    assert stopped.code == 0 and "interrupted; continue with: memlayers experiment" in stopped.out, stopped
    kept = (output / "dense" / "seed-1" / "result.json").stat().st_mtime_ns
    succeed("experiment", file)
    assert (output / "dense" / "seed-1" / "result.json").stat().st_mtime_ns == kept
    assert len(list(output.rglob("result.json"))) == 4


def test_a_killed_experiment_keeps_its_cells(world):
    file, output = experiment_file(world, "killed_experiment")
    second = output / "memory_plus" / "seed-1" / "recall.jsonl"
    killed = interrupt_when(second.exists, "experiment", file, how=signal.SIGKILL)
    assert killed.code == -signal.SIGKILL, killed
    kept = (output / "dense" / "seed-1" / "result.json").stat().st_mtime_ns
    succeed("experiment", file)
    assert (output / "dense" / "seed-1" / "result.json").stat().st_mtime_ns == kept
    assert len(list(output.rglob("result.json"))) == 4


def test_a_failed_cell_is_reported_and_the_others_go_on(world):
    file, output = experiment_file(world, "one_cell_fails")
    result = run("experiment", file, "seeds=[1]", "variants.0.set=[model.vocab_size=300]")
    assert result.code == 1 and "1 of 2 cells failed: dense seed 1" in result.error, result
    (failure,) = json.loads((output / "experiment.json").read_text())["failures"]
    assert "vocab_size" in failure and "vocab_size" in (output / "report.html").read_text()
    assert criteria_of(output)["memory has fewer nats"]["met"] is None


def test_only_runs_the_named_variants(world):
    file, output = experiment_file(world, "only")
    succeed("experiment", file, "--only", "dense", "seeds=[1]", "scale=longer")
    assert [path.parent.parent.name for path in output.rglob("result.json")] == ["dense"]
    assert json.loads((output / "dense" / "seed-1" / "result.json").read_text())["curve"][-1]["step"] == 36
    assert "no variant 'sparse'" in refuse(2, "experiment", file, "--only", "sparse")


def test_without_a_required_file_it_is_skipped_and_says_so(world):
    file, output = experiment_file(world, "skipped")
    result = succeed("experiment", file, f"requires=[{{path: {world.folder}/absent.zst}}]")
    assert "skipped" in result.out and "absent.zst is not there" in result.out
    assert all(each["met"] is None and "skipped" in each["note"] for each in criteria_of(output).values())


def test_a_required_file_that_goes_away_takes_no_results_with_it(world, done, tmp_path):
    output = tmp_path / "kept"
    shutil.copytree(done[0], output)
    before = (output / "experiment.json").read_text()
    result = succeed("experiment", done[2], f"output={output}", f"requires=[{{path: {world.folder}/absent.zst}}]")
    assert "skipped" in result.out and (output / "experiment.json").read_text() == before


def test_a_required_file_is_described_and_another_one_of_its_name_is_refused(world):
    file, output = experiment_file(world, "described")
    described = "{path: %s, from: fetch facts.zip from example.org, license: MIT, hash: 0123456789abcdef}"
    result = succeed("experiment", file, f"requires=[{described % (world.folder / 'absent.jsonl')}]")
    assert "absent.jsonl is not there; fetch facts.zip from example.org (license: MIT)" in result.out
    other = world.write("other.jsonl", '{"relation": "P1"}\n')
    failure = refuse(1, "experiment", file, f"requires=[{described % other}]")
    assert "hash to" in failure and "expected 0123456789abcdef" in failure and "fetch facts.zip" in failure
    lines_hash = failure.split("hash to ")[1].split(",")[0]
    assert not list(output.rglob("result.json"))
    packed = world.folder / "other.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"relation": "P1"}\n'))
    for same in (other, packed):  # however it is packed
        described = f"{{path: {same}, hash: {lines_hash}}}"
        succeed("experiment", file, f"requires=[{described}]", "seeds=[1]", "--only", "dense")


def test_a_variant_may_have_fewer_seeds_and_criteria_rest_on_those_in_common(world):
    file, output = experiment_file(world, "seeds")
    succeed("experiment", file, "seeds=[1, 2, 3]", "variants.0.seeds=[1, 3]", "run.steps=6", "capacity.path=", "losses=[]",
            "metrics=[nats]", "criteria=[{name: fewer, metric: nats, order: [dense, memory_plus]}]")
    cells = sorted(str(path.parent.relative_to(output)) for path in output.rglob("result.json"))
    assert cells == ["dense/seed-1", "dense/seed-3", "memory_plus/seed-1", "memory_plus/seed-2", "memory_plus/seed-3"]
    decided = criteria_of(output)["fewer"]
    assert decided["seeds"] == 2 and decided["met"] is not None
    result = succeed("experiment", file, "seeds=[2]", "variants.0.seeds=[1, 3]", "run.steps=6", "capacity.path=", "losses=[]",
                     "metrics=[nats]", "criteria=[{name: fewer, metric: nats, order: [dense, memory_plus]}]")
    assert criteria_of(output)["fewer"]["met"] is None  # none in common
    assert "memory_plus" in result.out


def test_figures_draw_variants_of_experiments_beside(world, done):
    file, output = experiment_file(world, "beside", """\
beside: [{tiny}]
""".format(tiny=done[0]))
    figure = ("figures=[{title: Nats, metric: nats, x: [1, 2], x_label: size, "
              "series: [{name: Dense, variants: [dense, tiny/dense]}, {name: Memory+, variants: [tiny/none, memory_plus]}]}]")
    succeed("experiment", file, figure, "seeds=[1]", "run.steps=6")
    [chart] = (output / "figures").glob("*.svg")
    theirs = [run["unseen"]["nats"] for run in json.loads((done[0] / "results.json").read_text())["runs"] if run["variant"] == "dense"]
    assert f"Dense, 2: {sum(theirs) / len(theirs):.3f}" in chart.read_text()
    assert "Memory+, 1" not in chart.read_text()  # a variant that there is not is a gap
    page = (output / "report.html").read_text()
    succeed("report", output.parent)
    assert (output / "report.html").read_text() == page  # drawn again from experiment.json, alike
    assert "no variant 'other/dense'" in refuse(2, "experiment", file, "figures.0.series.0.variants=[dense, other/dense]",
                                                "figures.0.groups=[a, b]")


def test_nats_are_measured_on_the_way(done):
    output = done[0]
    points = json.loads((output / "dense" / "seed-1" / "result.json").read_text())["curve"]
    asked = [point for point in points if point["recall"] >= 0]
    assert len(asked) > 2 and all(point["nats"] > 0 and point["nats_seen"] > 0 for point in asked)
    assert all(point["nats"] == -1 for point in points if point["recall"] < 0)
    scores = json.loads((output / "dense" / "seed-1" / "result.json").read_text())["unseen"]
    assert asked[-1]["nats"] == scores["nats"]


def test_a_metric_that_nothing_measures_is_refused_before_anything_runs(world):
    file, output = experiment_file(world, "unknown_metric")
    assert "no metric 'stored_bit'" in refuse(2, "experiment", file, "criteria.0.metric=stored_bit")
    assert "'loss' is taken" in refuse(2, "experiment", file, "losses.0.name=loss", "metrics=[]", "criteria.1.metric=nats")
    assert "ask_limit: 0" in refuse(2, "experiment", file, "criteria.0.metric=recall", "criteria.0.at=seconds")
    assert not output.exists()


def test_the_index_lists_all_experiments_and_png_needs_a_program(world, done, monkeypatch):
    folder = done[0].parent
    result = succeed("report", folder)
    assert "tiny:" in result.out
    index = (folder / "index.html").read_text()
    assert 'href="tiny/report.html"' in index and "memory has fewer nats" in index
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "rsvg-convert" in refuse(1, "report", folder, "--png")


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="rsvg-convert is not installed")
def test_charts_are_drawn_as_png(done):
    succeed("report", done[0], "--png")
    assert (done[0] / "figures" / "chart-1-nats.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_experiments_is_refused(world, tmp_path):
    assert "expected experiment.json" in refuse(2, "report", tmp_path)
    assert "folder of experiments" in refuse(2, "report", world.folder / "tiny.yaml", "--png")
