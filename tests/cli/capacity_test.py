"""memlayers capacity on a tiny trained run: numbers that add up, and one clear line for what is wrong."""

import json
import math
import shutil

import pytest

from program import refuse, succeed

PEOPLE, NAMES = 40, 400 * 400 * 1000  # of program.py's data
VALUES = [12 * 28 * 120, 200, 1000, 62, 240, 1]
SLOTS, WIDTH = 256, 32  # of program.py's model


def capacity(run, *arguments):
    return json.loads(succeed("capacity", run, "--json", *arguments).out)


@pytest.fixture(scope="module")
def found(trained):
    return capacity(trained)


def test_the_bits_of_the_data_are_those_of_its_draws(found):
    assert found["people"] == found["measured"] == PEOPLE and found["names"] == NAMES
    assert [attribute["values"] for attribute in found["attributes"]] == VALUES
    most_name, values = PEOPLE * math.log2(NAMES / PEOPLE), PEOPLE * sum(map(math.log2, VALUES))
    assert found["name"]["most_bits"] == pytest.approx(most_name)
    assert found["most_bits"] == pytest.approx(most_name + values)


def test_every_term_is_the_bound_of_its_nats(found):
    def bits(alternatives, nats):
        return PEOPLE * max(0, math.log2(alternatives) - nats / math.log(2))

    assert found["name"]["stored"]["bits"] == pytest.approx(bits(NAMES, found["name"]["nats"]))
    for attribute, values in zip(found["attributes"], VALUES):
        assert attribute["stored"]["bits"] == pytest.approx(bits(values, attribute["trained_nats"]))
        assert attribute["extractable"]["bits"] == pytest.approx(bits(values, attribute["held_out_nats"]))
        assert 0 <= attribute["stored"]["low"] <= attribute["stored"]["high"] <= attribute["most_bits"] + 1e-6
    stored = sum(attribute["stored"]["bits"] for attribute in found["attributes"])
    assert found["values_stored"]["bits"] == pytest.approx(stored)
    assert found["stored"]["bits"] == pytest.approx(stored + found["name"]["stored"]["bits"])
    assert found["stored"]["bits"] <= found["most_bits"] * (1 + 1e-6)


def test_rates_divide_by_all_there_is(found):
    assert found["table_parameters"] == SLOTS * WIDTH
    assert found["parameters"] - found["non_embedding_parameters"] == 400 * WIDTH, "a tied embedding counts once"
    assert found["bytes"] >= 4 * found["parameters"]
    for rate, count in [("bits_per_parameter", "parameters"), ("bits_per_byte", "bytes"),
                        ("bits_per_non_embedding_parameter", "non_embedding_parameters")]:
        assert found[rate]["bits"] == pytest.approx(found["stored"]["bits"] / found[count])


def test_fewer_bits_a_number_take_fewer_bytes(trained, found):
    other = found["bytes"] - found["table_bytes"]
    for dtype, row in [("float32", 4 * WIDTH), ("bfloat16", 2 * WIDTH), ("int8", WIDTH + 4), ("int4", WIDTH // 2 + 4)]:
        rounded = capacity(trained, "--table-dtype", dtype, "--limit", "8")
        assert rounded["table_bytes"] == SLOTS * row and rounded["bytes"] - rounded["table_bytes"] == other
        assert rounded["table_dtype"] == dtype and rounded["parameters"] == found["parameters"]
    rounded = capacity(trained, "--table-dtype", "int8", "--weight-dtype", "int4", "--limit", "8")
    assert rounded["table_bytes"] == SLOTS * (WIDTH + 4)
    assert rounded["bytes"] - rounded["table_bytes"] < 0.3 * other


def test_the_runs_own_data_is_the_default_and_a_call_repeats(world, trained, found):
    assert capacity(trained, "--data", world.data) == found
    assert capacity(trained / "checkpoints" / "step-00000040") == found


def test_a_sample_says_so(trained):
    assert capacity(trained, "--limit", "10")["measured"] == 10
    assert "10 of 40 people" in succeed("capacity", trained, "--limit", "10").out


def test_a_table_for_people(trained):
    out = succeed("capacity", trained).out
    for part in ["birth date", "40,320", "name and values", "parameter, no embeddings", "lower bound"]:
        assert part in out


class TestErrors:
    def test_data_without_biographies(self, trained, tmp_path):
        text = tmp_path / "text.txt"
        text.write_text("Some words.\n\nMore words.\n" * 40)
        succeed("prepare", text, "--output", tmp_path / "text", "--tokenizer", "bytes")
        said = refuse(2, "capacity", trained, "--data", tmp_path / "text")
        assert "holds no biographies" in said and "kind biographies" in said

    def test_data_of_another_tokenizer(self, world, trained, tmp_path):
        config = world.data_config.read_text().replace("sentencepiece, vocab_size: 400", "bytes")
        other = tmp_path / "other.yaml"
        other.write_text(config.replace(f"{world.folder}/data", f"{tmp_path}/bytes"))
        succeed("prepare", "--config", other)
        assert "another tokenizer" in refuse(2, "capacity", trained, "--data", tmp_path / "bytes")

    def test_data_prepared_before_people_were_listed(self, world, trained, tmp_path):
        data = shutil.copytree(world.data, tmp_path / "data")
        prepared = json.loads((data / "prepare.json").read_text())
        del prepared["biographies"]
        (data / "prepare.json").write_text(json.dumps(prepared))
        assert "--force" in refuse(2, "capacity", trained, "--data", data)

    def test_a_damaged_or_missing_list(self, world, trained, tmp_path):
        data = shutil.copytree(world.data, tmp_path / "data")
        people = data / "biographies.jsonl"
        people.write_text(people.read_text().replace("19", "18", 1))
        assert "biographies.jsonl: is damaged" in refuse(1, "capacity", trained, "--data", data)
        people.unlink()
        assert "biographies.jsonl: is missing" in refuse(1, "capacity", trained, "--data", data)

    def test_a_bare_model_does_not_know_its_data(self, world, trained, tmp_path):
        bare = shutil.copytree(trained / "checkpoints" / "step-00000040", tmp_path / "bare")
        (bare / "state.json").unlink()
        assert "--data" in refuse(2, "capacity", bare)
        assert capacity(bare, "--data", world.data, "--limit", "3")["measured"] == 3

    def test_sentences_longer_than_the_model_reads(self, world, trained, tmp_path):
        short = shutil.copytree(trained / "checkpoints" / "step-00000040", tmp_path / "short")
        config = json.loads((short / "config.json").read_text())
        (short / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8}))
        assert "positions" in refuse(2, "capacity", short, "--data", world.data)

    def test_a_table_dtype_for_a_model_without_tables(self, world):
        dense = world.train("dense_run_to_count", 2, "model.memory.layers=[]")
        assert "--weight-dtype" in refuse(2, "capacity", dense, "--table-dtype", "int8")
        assert capacity(dense, "--weight-dtype", "int8")["table_parameters"] == 0

    def test_two_folders_with_biographies(self, world, tmp_path):
        second = shutil.copytree(world.data, tmp_path / "second")
        sources = f"data.sources=[{{path: {world.data}}}, {{path: {second}}}]"
        run = world.train("run_of_two_folders", 2, sources)
        said = refuse(2, "capacity", run)
        assert "several folders" in said and str(second) in said

    def test_options_are_checked(self, trained, tmp_path):
        assert "--table-dtype" in refuse(2, "capacity", trained, "--table-dtype", "int2")
        assert "--limit" in refuse(2, "capacity", trained, "--limit", "-1")
        assert "no such folder" in refuse(2, "capacity", tmp_path / "nowhere")
