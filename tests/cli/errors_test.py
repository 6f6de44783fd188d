"""What goes wrong is said in one clear line, with exit 2 for a wrong call and 1 for a failure, and nothing is lost."""

import os
import shutil
import subprocess

import pytest

from program import PROGRAM, json_lines, refuse, run, succeed


def copied(folder, to):
    shutil.copytree(folder, to)
    return to


def checkpoints(run_folder):
    return sorted(path.name for path in (run_folder / "checkpoints").iterdir() if path.name.startswith("step-"))


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 0x40
    path.write_bytes(content)


class TestConfiguration:
    def test_an_unknown_key_names_file_line_and_the_nearest_key(self, world):
        config, _ = world.config("unknown_key")
        text = config.read_text().replace("num_sub_keys:", "num_subkeys:")
        config.write_text(text)
        line = 1 + next(i for i, row in enumerate(text.splitlines()) if "num_subkeys" in row)
        said = refuse(2, "train", "--config", config)
        assert f"{config}:{line}:" in said
        assert "num_subkeys" in said and "num_sub_keys" in said

    def test_threads_beyond_the_processors_are_not_taken(self, world, trained, tmp_path):
        config, _ = world.config("many_threads")
        said = succeed("train", "--config", config, f"output={tmp_path}/run", "steps=2", "threads=2000").err
        assert said.count("2000 threads were asked for") == 1, said
        said = succeed("generate", trained, "Once", "--max-new-tokens", "2", env={"OMP_NUM_THREADS": "2000"}).err
        assert said.count("2000 threads were asked for") == 1, said

    def test_an_unknown_key_on_the_command_line_names_the_nearest(self, world):
        config, _ = world.config("unknown_override")
        said = refuse(2, "train", "--config", config, "model.hiden_size=64")
        assert "hiden_size" in said and "hidden_size" in said

    @pytest.mark.parametrize("change,words", [
        ("model.memory.top_k=257", ["top_k", "257", "256"]),
        ("model.num_attention_heads=3", ["3", "32"]),
        ("model.memory.layers=[2]", ["layers", "2"]),
        ("model.memory.key_dim=15", ["key_dim", "15"]),
        ("model.hidden_size=0", ["hidden_size"]),
        ("steps=0", ["steps"]),
        ("steps=many", ["steps", "many"]),
        ("data.seq_len=1024", ["seq_len", "1024", "128"]),
        ("micro_batches=3", ["micro_batches", "3", "4"]),
        ("optimizer.learning_rate=-1", ["learning_rate"]),
        ("optimizer.schedule=quadratic", ["quadratic", "cosine"]),
        ("model.vocab_size=10", ["vocab_size", "10"]),
    ])
    def test_an_impossible_number_is_refused_before_training(self, world, change, words):
        config, folder = world.config("impossible")
        said = refuse(2, "train", "--config", config, change)
        for word in words:
            assert word in said, said
        assert not (folder / "metrics.jsonl").exists()

    def test_a_configuration_that_is_not_there(self, world):
        assert "nowhere.yaml" in refuse(1, "train", "--config", world.folder / "nowhere.yaml")

    def test_a_configuration_that_is_no_yaml(self, world):
        path = world.write("broken.yaml", "steps: [1, 2\nmodel: }")
        assert "broken.yaml" in refuse(2, "train", "--config", path)


    def test_a_table_larger_than_memory_is_refused_in_words(self, world):
        config, _ = world.config("too_large")  # 67 million rows of 128 bytes where 4 GB may be used
        done = subprocess.run(
            ["bash", "-c", 'ulimit -v 4000000 && exec "$@"', "-", PROGRAM, "train", "--config", str(config),
             "model.memory.num_sub_keys=8192"],
            capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert done.returncode == 1, done
        assert "memlayers train: not enough memory" in done.stderr, done


class TestData:
    def train_on(self, world, data):
        config, _ = world.config("on_bad_data")
        return refuse(1, "train", "--config", config, "data.sources=[]", f"data.sources.0.path={data}")

    def test_data_that_is_not_there(self, world):
        assert "nowhere" in self.train_on(world, world.folder / "nowhere")

    @pytest.mark.parametrize("extension", ["bin", "idx"])
    def test_a_truncated_shard_is_refused_with_its_name(self, world, tmp_path, extension):
        data = copied(world.data, tmp_path / "data")
        shard = next(data.glob(f"train-*.{extension}"))
        shard.write_bytes(shard.read_bytes()[:-20])
        assert shard.stem in self.train_on(world, data)

    def test_a_shard_that_is_gone_is_refused_with_its_name(self, world, tmp_path):
        data = copied(world.data, tmp_path / "data")
        shard = next(data.glob("train-*.bin"))
        shard.unlink()
        assert shard.stem in self.train_on(world, data)

    def test_questions_that_are_damaged_name_their_line(self, world, trained, tmp_path):
        path = tmp_path / "questions.jsonl"
        path.write_text('{"prompt": "A", "answers": ["B"]}\n{"prompt": "A", "answ')
        assert f"{path}:2" in refuse(1, "eval", trained, "--questions", path)

    def test_questions_that_are_not_there(self, trained, tmp_path):
        assert "nothing.jsonl" in refuse(1, "eval", trained, "--questions", tmp_path / "nothing.jsonl")


class TestModels:
    def test_a_folder_that_is_no_model_is_refused(self, world, tmp_path):
        assert "neither a model" in refuse(2, "generate", tmp_path, "Hello")
        assert "no such folder" in refuse(2, "generate", tmp_path / "nowhere", "Hello")

    def test_a_damaged_model_file_is_refused_with_its_name(self, trained, tmp_path):
        folder = copied(trained / "checkpoints" / checkpoints(trained)[-1], tmp_path / "model")
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        assert "model.safetensors" in refuse(1, "generate", folder, "Hello")

    def test_a_prompt_too_long_for_the_model_is_refused(self, trained):
        assert "max_position_embeddings" in refuse(2, "generate", trained, "word " * 500)

    def test_sampling_options_are_checked(self, trained):
        assert "temperature" in refuse(2, "generate", trained, "Hello", "--temperature", "-1")
        assert "top_p" in refuse(2, "generate", trained, "Hello", "--top-p", "1.5")


class TestCheckpoints:
    def test_a_damaged_checkpoint_is_named_and_the_older_one_resumed(self, world, trained, tmp_path):
        folder = copied(trained, tmp_path / "run")
        names = checkpoints(folder)
        assert len(names) == 2, names
        flip_a_byte(folder / "checkpoints" / names[-1] / "model.safetensors")
        config, _ = world.config("trained")
        result = succeed("train", "--config", config, f"output={folder}", "--resume")
        assert names[-1] in result.err and "model.safetensors" in result.err
        assert f"resuming from {folder}/checkpoints/{names[0]}" in result.err
        assert [line["step"] for line in json_lines(folder / "metrics.jsonl")] == list(range(5, 41, 5))
        # What was trained again equals what had been there.
        new, old = (path / "checkpoints" / names[-1] / "model.safetensors" for path in (folder, trained))
        assert new.read_bytes() == old.read_bytes()

    def test_with_all_checkpoints_damaged_it_fails_and_deletes_none(self, world, trained, tmp_path):
        folder = copied(trained, tmp_path / "run")
        for name in checkpoints(folder):
            flip_a_byte(folder / "checkpoints" / name / "model.safetensors")
        config, _ = world.config("trained")
        said = refuse(1, "train", "--config", config, f"output={folder}", "--resume")
        assert str(folder) in said
        assert len(checkpoints(folder)) == 2

    def test_resuming_another_model_or_seed_is_refused(self, world, trained, tmp_path):
        folder = copied(trained, tmp_path / "run")
        config, _ = world.config("trained")
        for change in ["model.hidden_size=64", "seed=2"]:
            said = refuse(2, "train", "--config", config, f"output={folder}", change, "--resume")
            assert change.split("=")[0] in said

    def test_a_folder_that_holds_a_run_is_not_overwritten(self, world, trained):
        config, _ = world.config("trained")
        said = refuse(2, "train", "--config", config)
        assert "--resume" in said and "--overwrite" in said

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
    def test_a_full_disk_leaves_the_older_checkpoint_intact(self, world, trained, tmp_path, share):
        folder = copied(trained, tmp_path / "run")
        last = checkpoints(folder)[-1]
        size = sum(path.stat().st_size for path in (folder / "checkpoints" / last).iterdir())
        config, _ = world.config("trained")
        arguments = ["train", "--config", config, f"output={folder}", "steps=50", "--resume"]
        result = run(*arguments, env={"MEMLAYERS_FAIL_WRITES_AFTER": str(int(size * share))})
        assert result.code == 1, result
        assert "space" in result.error and str(folder) in result.error, result
        assert last in checkpoints(folder)
        assert not [path for path in folder.rglob("*.tmp-*")]
        resumed = succeed(*arguments)
        assert f"resuming from {folder}/checkpoints/{last}" in resumed.err
        assert checkpoints(folder)[-1] == "step-00000050"
