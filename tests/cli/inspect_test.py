"""memlayers inspect on a tiny trained run: numbers that add up, a well-formed page, and one clear line for what is wrong."""

import json
import shutil
import xml.etree.ElementTree as xml

import pytest

from program import refuse, succeed

HEADS, TOP_K, SLOTS = 2, 4, 256  # of program.py's model


def inspect(run, *arguments):
    return json.loads(succeed("inspect", run, "--json", *arguments).out)


@pytest.fixture(scope="module")
def found(trained, tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "page.html"
    return inspect(trained, "--tokens", "2000", "--output", page), page


def test_every_read_is_counted_by_layer_and_head(found):
    printed, _ = found
    assert printed["tokens"] == 2000 and printed["split"] == "train"
    (layer,) = printed["layers"]
    assert layer["layer"] == 1 and layer["reads"] == 2000 * HEADS * TOP_K
    assert [head["reads"] for head in printed["heads"]] == [2000 * TOP_K] * HEADS
    assert layer["dead"] == round((1 - layer["used_share"]) * SLOTS)
    for head in printed["heads"]:
        assert layer["dead"] <= head["dead"] < SLOTS
    (table,) = printed["tables"]
    assert table["read_by"] == [layer["dead"], SLOTS - layer["dead"]]
    assert 0 <= table["never_trained"] <= SLOTS


def test_the_page_is_well_formed(found):
    _, page = found
    root = xml.parse(page).getroot()
    assert root.findall(".//{http://www.w3.org/2000/svg}svg")


def test_the_page_is_beside_the_checkpoints_unless_told_otherwise(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    out = succeed("inspect", run, "--tokens", "200").out
    assert str(run / "inspect.html") in out.splitlines()[-1]
    assert (run / "inspect.html").exists()
    (run / "inspect.html").unlink()
    succeed("inspect", run / "checkpoints" / "step-00000040", "--tokens", "200")
    assert (run / "inspect.html").exists()


def test_the_same_call_gives_the_same_numbers(trained, found, tmp_path):
    assert inspect(trained, "--tokens", "2000", "--output", tmp_path / "page.html") == found[0]


def test_documents_and_questions_that_light_a_slot(world, trained, found, tmp_path):
    slot = found[0]["tables"][0]["most_read"][0]["slot"]
    (light,) = inspect(trained, "--slot", slot, "--tokens", "0", "--top", "4", "--output", tmp_path / "page.html")["slot"]
    assert light["slot"] == slot
    assert len(light["documents"]) == 4 and len(light["questions"]) == 4
    for texts in (light["documents"], light["questions"]):
        weights = [text["weight"] for text in texts]
        assert weights == sorted(weights, reverse=True) and weights[-1] > 0
    prompts = {question["id"]: question["prompt"] for question in world.questions()}
    for text in light["questions"]:
        assert prompts[text["id"]] == text["text"]
    xml.parse(tmp_path / "page.html")


class TestAsk:
    def test_a_question_is_looked_up_by_its_id(self, world, trained, tmp_path):
        question = world.questions()[5]
        asked = inspect(trained, "--ask", question["id"], "--tokens", "500", "--output", tmp_path / "p.html")["asked"]
        assert (asked["id"], asked["prompt"], asked["answers"]) == (
            question["id"], question["prompt"], question["answers"])
        assert [(head["layer"], head["head"]) for head in asked["heads"]] == [(1, 0), (1, 1)]
        for head in asked["heads"]:
            assert len(head["slots"]) == TOP_K
            assert sum(slot["weight"] for slot in head["slots"]) == pytest.approx(1, abs=1e-6)

    def test_a_prompt_is_answered_as_it_is(self, trained, tmp_path):
        out = succeed("inspect", trained, "--ask", "The person", "--tokens", "500", "--output", tmp_path / "p.html").out
        assert 'Asked "The person"' in out and "Layer 1, head 1" in out
        xml.parse(tmp_path / "p.html")


class TestSince:
    @pytest.mark.parametrize("named", ["step-00000030", "folder", "start"])
    def test_drift_is_measured_from_a_checkpoint_or_the_start(self, trained, tmp_path, named):
        since = trained / "checkpoints" / "step-00000030" if named == "folder" else named
        printed = inspect(trained, "--since", since, "--tokens", "500", "--output", tmp_path / "page.html")
        (drift,) = printed["drift"]
        assert drift["slots"] == SLOTS and drift["unmoved"] + sum(drift["histogram"]) + drift["from_zero"] == SLOTS
        assert drift["largest"] == drift["most"][0]["relative"] > 0
        # Weight decay of the tables is off: a row that was never read has not moved since the start.
        if named == "start":
            assert drift["unmoved"] == printed["tables"][0]["never_trained"]
        xml.parse(tmp_path / "page.html")

    def test_nothing_has_moved_since_the_checkpoint_itself(self, trained, tmp_path):
        (drift,) = inspect(trained, "--since", "step-00000040", "--tokens", "200", "-o", tmp_path / "p.html")["drift"]
        assert drift["unmoved"] == SLOTS and drift["whole"] == 0 and drift["most"] == []

    def test_a_checkpoint_of_another_shape_is_refused(self, world, trained):
        other = world.train("smaller_table", 2, "model.memory.num_sub_keys=8")
        said = refuse(2, "inspect", trained, "--since", other)
        assert "[64, 32]" in said and "[256, 32]" in said and "same run" in said


class TestErrors:
    def test_a_dense_run_has_nothing_to_inspect(self, world):
        dense = world.train("dense_run_to_inspect", 2, "model.memory.layers=[]")
        assert "has no memory layers" in refuse(2, "inspect", dense)

    def test_a_folder_that_is_no_run(self, tmp_path):
        assert "neither a model" in refuse(2, "inspect", tmp_path)
        assert "no such folder" in refuse(2, "inspect", tmp_path / "nowhere")

    def test_a_slot_outside_of_the_table(self, trained):
        assert "0 to 255" in refuse(2, "inspect", trained, "--slot", "256")

    def test_questions_that_are_not_there(self, trained, tmp_path):
        assert "none of the" in refuse(2, "inspect", trained, "--ask", "123456789")
        assert "nothing.jsonl" in refuse(1, "inspect", trained, "--ask", "1", "--questions", tmp_path / "nothing.jsonl")
        assert "--slot" in refuse(2, "inspect", trained, "--questions", tmp_path)

    def test_an_empty_prompt(self, trained):
        assert "empty" in refuse(2, "inspect", trained, "--ask", " ")

    def test_data_that_is_gone_or_of_another_tokenizer(self, world, trained, tmp_path):
        assert "nowhere" in refuse(1, "inspect", trained, "--data", tmp_path / "nowhere")
        text = tmp_path / "text.txt"
        text.write_text("Some words.\n\nMore words.\n" * 40)
        succeed("prepare", text, "--output", tmp_path / "bytes", "--tokenizer", "bytes")
        assert "another tokenizer" in refuse(2, "inspect", trained, "--data", tmp_path / "bytes")

    def test_a_split_without_documents(self, world, trained, tmp_path):
        data = shutil.copytree(world.data, tmp_path / "data")
        prepared = json.loads((data / "prepare.json").read_text())
        prepared["validation"]["shards"] = 0
        (data / "prepare.json").write_text(json.dumps(prepared))
        assert "no validation shards" in refuse(1, "inspect", trained, "--data", data, "--split", "validation")

    def test_a_bare_model_does_not_know_its_data(self, trained, tmp_path):
        bare = shutil.copytree(trained / "checkpoints" / "step-00000040", tmp_path / "bare")
        (bare / "state.json").unlink()
        assert "--data" in refuse(2, "inspect", bare)

    def test_options_are_checked(self, trained):
        assert "--split" in refuse(2, "inspect", trained, "--split", "test")
        assert "--tokens" in refuse(2, "inspect", trained, "--tokens", "-1")
        assert "--top" in refuse(2, "inspect", trained, "--top", "0")
