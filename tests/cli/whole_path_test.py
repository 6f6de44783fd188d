"""prepare, train, interrupt, resume, eval, generate: the whole path on a world of forty people."""

import json
import signal

import pytest

from program import interrupt_when, json_lines, run, succeed


def test_prepare_writes_shards_a_tokenizer_and_questions_once(world):
    assert (world.data / "prepare.json").exists()
    assert list(world.data.glob("train-*.bin")) and list(world.data.glob("train-*.idx"))
    wordings = {question["wording"] for question in world.questions()}
    assert wordings == {"seen", "unseen"}
    before = (world.data / "prepare.json").stat().st_mtime_ns
    assert "already prepared" in world.prepare().out
    assert (world.data / "prepare.json").stat().st_mtime_ns == before


def test_train_leaves_metrics_and_a_checkpoint(trained):
    lines = json_lines(trained / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(5, 41, 5))
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert (trained / "checkpoints" / "step-00000040" / "config.json").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_resumes_to_the_very_same_bits(world, trained, how):
    config, folder = world.config(f"interrupted_{how.name}", 40)
    metrics = folder / "metrics.jsonl"
    arguments = ["train", "--config", config]
    stopped = interrupt_when(lambda: metrics.exists() and metrics.stat().st_size > 0, *arguments, how=how)
    assert stopped.code == 0, stopped
    steps = [line["step"] for line in json_lines(metrics)]
    if steps[-1] < 40:  # else it was quicker than the signal
        assert "interrupted" in stopped.out and "--resume" in stopped.out
    succeed(*arguments, "--resume")
    for name in ["model.safetensors", "training_state.safetensors"]:
        resumed, whole = (path / "checkpoints" / "step-00000040" / name for path in (folder, trained))
        assert resumed.read_bytes() == whole.read_bytes(), name
    assert [line["step"] for line in json_lines(metrics)] == list(range(5, 41, 5))


def test_a_killed_run_resumes_from_its_last_checkpoint(world, trained):
    config, folder = world.config("killed", 40)
    checkpoint = folder / "checkpoints" / "step-00000010" / "manifest.json"
    killed = interrupt_when(checkpoint.exists, "train", "--config", config, how=signal.SIGKILL)
    assert killed.code == -signal.SIGKILL, killed
    succeed("train", "--config", config, "--resume")
    resumed, whole = (path / "checkpoints" / "step-00000040" / "model.safetensors" for path in (folder, trained))
    assert resumed.read_bytes() == whole.read_bytes()


class TestEval:
    def test_it_prints_a_table_by_relation_and_wording(self, world, trained):
        out = succeed("eval", trained, "--questions", world.data, "--limit", "60").out
        rows = [line.split() for line in out.splitlines()]
        assert rows[0][:3] == ["relation", "wording", "questions"]
        assert rows[1][:2] == ["all", "unseen"] and rows[2][:2] == ["all", "seen"]
        assert int(rows[1][2]) + int(rows[2][2]) == 60
        relations = {row[0] for row in rows[3:]}
        assert relations <= {question["relation"] for question in world.questions()}

    def test_its_json_agrees_with_the_answers_it_writes(self, world, trained, tmp_path):
        answers = tmp_path / "answers.jsonl"
        printed = json.loads(
            succeed("eval", trained, "--questions", world.data / "questions.jsonl", "--output", answers, "--json").out)
        head, *lines = json_lines(answers)
        assert head["model"] and len(lines) == len(world.questions())
        for score in printed["scores"]:
            chosen = [line for line in lines
                      if line["wording"] == score["wording"] and score["relation"] in ("all", line["relation"])]
            assert score["questions"] == len(chosen)
            for key in ["exact_match", "f1", "nats"]:
                assert score[key] == pytest.approx(sum(line[key] for line in chosen) / len(chosen))

    def test_it_goes_on_with_the_answers_that_are_there(self, world, trained, tmp_path):
        answers = tmp_path / "answers.jsonl"
        arguments = ["eval", trained, "--questions", world.data, "--output", answers, "--json", "--limit", "80"]
        whole = succeed(*arguments).out
        kept = answers.read_text().splitlines(keepends=True)
        answers.write_text("".join(kept[:30]) + kept[30][:25])
        assert json.loads(succeed(*arguments).out)["scores"][0]["nats"] == pytest.approx(
            json.loads(whole)["scores"][0]["nats"], rel=1e-4)
        assert len(answers.read_text().splitlines()) == len(kept)
        assert answers.read_text().startswith("".join(kept[:30]))


class TestGenerate:
    def test_a_prompt_is_continued_the_same_way_every_time(self, trained):
        arguments = ["generate", trained, "The person", "--max-new-tokens", "12"]
        out = succeed(*arguments).out
        assert out.startswith("The person") and len(out) > len("The person\n")
        assert out == succeed(*arguments).out
        assert out == succeed("generate", trained, "--prompt", "The person", "--max-new-tokens", "12").out

    def test_lines_of_standard_input_are_continued_in_their_order(self, trained):
        prompts = ["One", "Two of them", "Three"]
        out = succeed("generate", trained, "--json", "--max-new-tokens", "8", stdin="\n".join(prompts) + "\n\n").out
        lines = [json.loads(line) for line in out.splitlines()]
        assert [line["prompt"] for line in lines] == prompts
        alone = json.loads(succeed("generate", trained, "Two of them", "--json", "--max-new-tokens", "8").out)
        assert lines[1]["text"] == alone["text"]

    def test_draws_depend_on_the_seed_alone(self, trained):
        arguments = ["generate", trained, "The", "--temperature", "1", "--top-k", "50", "--top-p", "0.95"]
        first = succeed(*arguments, "--seed", "5").out
        assert first == succeed(*arguments, "--seed", "5").out
        assert first != succeed(*arguments, "--seed", "6").out

    def test_a_checkpoint_folder_is_as_good_as_its_run(self, trained):
        named = succeed("generate", trained / "checkpoints" / "step-00000040", "The").out
        assert named == succeed("generate", trained, "The").out

    def test_no_prompts_give_nothing(self, trained):
        result = run("generate", trained, stdin="")
        assert (result.code, result.out) == (0, "")


def test_training_can_name_other_data_on_the_command_line(world, tmp_path):
    config, _ = world.config("elsewhere", 2)
    succeed("train", "--config", config, "data.sources=[]", "--data", world.data, f"output={tmp_path}/run")
    assert (tmp_path / "run" / "checkpoints" / "step-00000002").exists()
