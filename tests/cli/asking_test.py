"""One prompt or question among many that is too long, empty or broken is named and counted; the others get what they get alone."""

import json
import shutil

import pytest

from program import TRAIN, json_lines, refuse, run, succeed

LONG = "word of a long prompt " * 40  # the model has 128 positions


def texts(result):
    return {line["prompt"]: line["text"] for line in map(json.loads, result.out.splitlines())}


def alone(trained, prompt, *options):
    return json.loads(succeed("generate", trained, "--prompt", prompt, "--json", *options).out)["text"]


class TestPrompts:
    def test_a_long_and_an_empty_one_leave_the_others_as_they_are(self, trained):
        options = ["--max-new-tokens", "24", "--json"]
        near = "The person " * 8  # fits, but not with 24 more tokens each
        prompts = ["The person", LONG, "She was", "", near, "The"]
        result = run("generate", trained, *(part for prompt in prompts for part in ("--prompt", prompt)), *options)
        assert result.code == 1, result
        assert "2 of 6 prompts could not be continued" in result.error, result
        assert "prompt 2 needs" in result.err and "prompt 4 is empty" in result.err
        said = texts(result)
        assert set(said) == {"The person", "She was", near, "The"}
        for prompt in said:
            assert said[prompt] == alone(trained, prompt, "--max-new-tokens", "24"), prompt

    def test_lines_are_named_by_their_number(self, trained):
        result = run("generate", trained, "--json", "--max-new-tokens", "8", stdin=f"One\n\n{LONG}\nThree\n\n\n")
        assert result.code == 1, result
        assert "line 2 is empty" in result.err and "line 3 needs" in result.err and "line 5" not in result.err
        assert "2 of 4 prompts" in result.error
        assert list(texts(result)) == ["One", "Three"]

    def test_one_alone_is_a_wrong_call(self, trained):
        assert "prompt 1 needs" in refuse(2, "generate", trained, LONG)
        assert "prompt 1 is empty" in refuse(2, "generate", trained, "--prompt", "")

    def test_lines_are_cleaned_as_training_text_is_and_prompts_are_not(self, trained):
        options = ["--json", "--max-new-tokens", "8"]
        plain = json.loads(succeed("generate", trained, *options, stdin="The person\n").out)
        for line in ["The person\r\n", "\ufeffThe person\n", "The person"]:
            assert json.loads(succeed("generate", trained, *options, stdin=line).out) == plain, line
        assert json.loads(succeed("generate", trained, "--prompt", "The person\r", *options).out)["prompt"].endswith("\r")


class TestQuestions:
    def test_broken_long_and_repeated_ones_are_named_and_the_others_asked(self, world, trained, tmp_path):
        good = world.questions()[:30]
        whole, mixed = tmp_path / "whole.jsonl", tmp_path / "mixed.jsonl"
        lines = [json.dumps(question) for question in good]
        whole.write_text("".join(line + "\n" for line in lines))
        bad = ['{"id": 7000, "prompt": "A', json.dumps({"id": 7001, "prompt": LONG, "answers": ["x"]}),
               json.dumps({"id": 7002, "prompt": "", "answers": ["x"]}), json.dumps({"id": 7003, "prompt": "A"}),
               json.dumps({"id": 7004, "prompt": "A", "answers": [LONG]}), json.dumps({**good[0], "prompt": "Again"}), "[]"]
        for place, line in enumerate(bad):
            lines.insert(3 * place + 2, line)
        mixed.write_text("".join(line + "\n" for line in lines))

        answers = tmp_path / "answers.jsonl"
        expected = json.loads(succeed("eval", trained, "--questions", whole, "--json").out)
        result = run("eval", trained, "--questions", mixed, "--json", "--output", answers)
        assert result.code == 1, result
        assert "7 of 37 questions could not be asked" in result.error, result
        for place, line in enumerate(bad):
            number = 3 * place + 3
            assert f"{mixed}:{number}: " in result.err or f"{mixed}: line {number}: " in result.err, (number, result)
        for name in ["7001", "7002", "7003", "7004"]:
            assert name in result.err
        found = json.loads(result.out)
        assert found["not_asked"] == 7
        for score, other in zip(found["scores"], expected["scores"]):
            assert score["questions"] == other["questions"] and score["exact_match"] == other["exact_match"]
            assert score["nats"] == pytest.approx(other["nats"], rel=1e-4)
        assert len(json_lines(answers)) == 31
        again = run("eval", trained, "--questions", mixed, "--json", "--output", answers)
        assert again.code == 1 and json.loads(again.out)["not_asked"] == 7
        assert len(json_lines(answers)) == 31

    def test_inspect_names_broken_questions_too(self, world, trained, tmp_path):
        path = tmp_path / "q.jsonl"
        path.write_text(json.dumps(world.questions()[0]) + "\nnothing\n")
        result = run("inspect", trained, "--questions", path, "--slot", "3", "--tokens", "300", "-o", tmp_path / "page.html")
        assert result.code == 1 and f"{path}:2" in result.error, result
        assert (tmp_path / "page.html").exists()


def test_eval_and_generate_compute_in_the_type_that_is_asked_for(world, trained, tmp_path):
    answers = tmp_path / "answers.jsonl"
    arguments = ["eval", trained, "--questions", world.data, "--limit", "20", "--json"]
    exact, narrow = (json.loads(succeed(*arguments, "--dtype", dtype).out)["scores"][0]["nats"]
                     for dtype in ("float32", "bfloat16"))
    assert exact == json.loads(succeed(*arguments).out)["scores"][0]["nats"]
    assert narrow != exact and narrow == pytest.approx(exact, rel=0.05)
    succeed(*arguments, "--output", answers)
    assert "another model" in refuse(2, *arguments, "--output", answers, "--dtype", "bfloat16")
    assert succeed("generate", trained, "The person", "--dtype", "bfloat16").out.startswith("The person")
    assert "bfloat16" in refuse(2, "generate", trained, "The", "--dtype", "float8")


def test_compare_names_what_it_cannot_ask_and_keeps_its_runs(world, tmp_path):
    shutil.copytree(world.data, tmp_path / "data")
    questions = tmp_path / "data" / "questions.jsonl"
    count = len(questions.read_text().splitlines())
    questions.write_text(questions.read_text() + json.dumps({"id": 900000, "prompt": LONG, "answers": ["x"]}) + "\n{broken\n")
    config = tmp_path / "compare.yaml"
    training = TRAIN.format(run="of-the-comparison", folder=tmp_path, steps=4).splitlines()
    config.write_text(f"output: {tmp_path}/out\nseeds: [1]\nbaseline: a\nask_limit: 8\nmax_new_tokens: 4\n"
                      "variants: [{name: a}, {name: b}]\nrun:\n" + "".join(f"  {line}\n" for line in training))
    result = run("compare", "--config", config)
    assert result.code == 1, result
    assert "question 900000: needs" in result.err and f"{questions}:{count + 2}" in result.error, result
    for kept in json.loads((tmp_path / "out" / "results.json").read_text())["runs"]:
        assert kept["seen"]["questions"] + kept["unseen"]["questions"] == count
    again = run("compare", "--config", config)
    assert again.code == 1 and f"{questions}:{count + 2}" in again.error, again
