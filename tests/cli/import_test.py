"""import and export: Hugging Face folders in and out, memory added on the way, generation_config.json heeded."""

import json
import os
import shutil
import struct
from pathlib import Path

import pytest

from program import refuse, succeed

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "hf_llama"
SHARED = Path(os.environ.get("MEMLAYERS_SHARED_DIR", ROOT.parent / "shared"))
TRAINED = SHARED / "interchange" / "hf_llama" / "trained_bytebpe"


def tensors(folder):
    """Name to dtype, shape and bytes, over all weight files."""
    found = {}
    for path in folder.glob("model*.safetensors"):
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + length])
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            assert name not in found
            found[name] = entry["dtype"], tuple(entry["shape"]), data[8 + length + begin:8 + length + end]
    return found


def text_of(model, *more):
    return succeed("generate", model, "--max-new-tokens", 8, "--json", *more, "Where is", "The").out


@pytest.fixture(scope="module")
def dense(world):
    return world.train("dense_to_export", 20, "model.memory.layers=[]")


@pytest.fixture(scope="module")
def with_table(world):
    return world.train("memory_to_export", 20)


class TestExport:
    def test_a_dense_model_goes_out_and_comes_back_with_the_same_bytes(self, dense, tmp_path):
        said = succeed("export", dense, tmp_path / "out").out
        assert str(tmp_path / "out") in said and "2 blocks" in said
        succeed("import", tmp_path / "out", tmp_path / "back")
        assert tensors(tmp_path / "out") == tensors(tmp_path / "back")
        assert text_of(dense) == text_of(tmp_path / "out") == text_of(tmp_path / "back")
        config = json.loads((tmp_path / "out" / "config.json").read_text())
        assert config["architectures"] == ["LlamaForCausalLM"] and config["dtype"] == config["torch_dtype"] == "float32"
        assert config["rope_parameters"] == {"rope_type": "default", "rope_theta": config["rope_theta"]}
        assert "memory" not in config and "query_key_norm" not in config
        assert json.loads((tmp_path / "out" / "generation_config.json").read_text())["eos_token_id"] == 2
        assert (tmp_path / "out" / "tokenizer.model").exists()

    def test_a_model_with_a_table_says_that_transformers_cannot_load_it(self, with_table, tmp_path):
        result = succeed("export", with_table, tmp_path / "out")
        assert "transformers" in result.err and "in tables" in result.out
        assert text_of(with_table) == text_of(tmp_path / "out")

    def test_shards_and_dtypes(self, with_table, tmp_path):
        succeed("export", with_table, tmp_path / "whole")
        succeed("export", with_table, tmp_path / "parts", "--max-shard-size", 0.00002)
        assert len(list((tmp_path / "parts").glob("model-*.safetensors"))) > 2
        assert tensors(tmp_path / "whole") == tensors(tmp_path / "parts")
        index = json.loads((tmp_path / "parts" / "model.safetensors.index.json").read_text())
        assert set(index["weight_map"]) == set(tensors(tmp_path / "whole")) and index["metadata"]["total_size"] > 0
        succeed("export", with_table, tmp_path / "half", "--dtype", "bfloat16")
        assert {dtype for dtype, _, _ in tensors(tmp_path / "half").values()} == {"BF16"}
        assert json.loads((tmp_path / "half" / "config.json").read_text())["dtype"] == "bfloat16"
        succeed("generate", tmp_path / "half", "--max-new-tokens", 2, "The")


class TestImport:
    @pytest.mark.parametrize("name", ["qwen2", "qwen3", "rope_llama3"])
    def test_weights_are_kept_as_they_are_stored(self, name, tmp_path):
        result = succeed("import", GOLDEN / name, tmp_path / "in")
        assert tensors(tmp_path / "in") == tensors(GOLDEN / name)
        assert "no tokenizer" in result.err
        before = json.loads((GOLDEN / name / "config.json").read_text())
        after = json.loads((tmp_path / "in" / "config.json").read_text())
        for key in ("model_type", "architectures", "rope_parameters", "vocab_size", "tie_word_embeddings"):
            assert before[key] == after[key], key
        assert (tmp_path / "in" / "generation_config.json").read_text() == (GOLDEN / name / "generation_config.json").read_text()

    def test_a_memory_beside_leaves_what_the_model_says_and_can_be_trained(self, world, dense, tmp_path):
        succeed("import", dense, tmp_path / "in", "--add-memory", "layers=1", "num_sub_keys=16", "top_k=4", "--seed", 3)
        config = json.loads((tmp_path / "in" / "config.json").read_text())
        assert config["model_type"] == "memlayers" and config["memory"]["placement"] == "beside"
        assert text_of(dense) == text_of(tmp_path / "in")
        before, after = tensors(tmp_path / "in"), tensors(dense / "checkpoints" / "step-00000020")
        assert {name: before[name] for name in after} == after
        assert not any(before["model.layers.1.memory.out_proj.weight"][2])

    def test_a_memory_in_place_of_a_feed_forward_says_so(self, dense, tmp_path):
        result = succeed("import", dense, tmp_path / "in", "--add-memory", "layers=1", "placement=replace", "num_sub_keys=16", "top_k=4")
        assert "start from nothing" in result.err
        assert "model.layers.1.mlp.up_proj.weight" not in tensors(tmp_path / "in")
        succeed("generate", tmp_path / "in", "--max-new-tokens", 2, "The")

    def test_what_is_wrong_is_one_line_and_nothing_is_written(self, dense, tmp_path):
        out = tmp_path / "out"
        assert "config.json" in refuse(2, "import", tmp_path, out)
        assert "there is no such folder" in refuse(2, "import", tmp_path / "none", out)
        folder = tmp_path / "window"
        shutil.copytree(GOLDEN / "qwen3", folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "mistral", "sliding_window": 8}))
        assert "sliding_window" in refuse(1, "import", folder, out)
        (folder / "config.json").write_text('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}")
        refuse(1, "import", folder, out)
        assert "layers=" in refuse(2, "import", dense, out, "--add-memory", "num_sub_keys=16")
        assert "num_sub_keys" in refuse(2, "import", dense, out, "--add-memory", "layers=1", "num_sub_key=16")
        assert not out.exists()
        full = tmp_path / "full"
        full.mkdir()
        (full / "mine").write_text("mine")
        assert "not empty" in refuse(2, "import", dense, full)
        assert (full / "mine").read_text() == "mine"


class TestGenerationConfig:
    @pytest.fixture
    def folder(self, dense, tmp_path):
        succeed("export", dense, tmp_path / "model")
        return tmp_path / "model"

    def write(self, folder, **keys):
        (folder / "generation_config.json").write_text(json.dumps(keys))

    def test_any_of_several_ends_of_text_ends_it(self, folder):
        whole = text_of(folder)
        ids = succeed("tokenize", folder, "--ids", "--bare", json.loads(whole.splitlines()[0])["text"].strip()).out.split()
        self.write(folder, eos_token_id=[2, int(ids[-1])])
        assert len(text_of(folder)) < len(whole)

    def test_sampling_is_as_it_says_unless_the_call_does(self, folder):
        greedy = text_of(folder)
        self.write(folder, do_sample=True, temperature=1.5, eos_token_id=2)
        drawn = text_of(folder)
        assert drawn != greedy and drawn == text_of(folder, "--temperature", 1.5, "--top-k", 50)
        assert text_of(folder, "--temperature", 0) == greedy

    def test_one_that_is_damaged_is_named(self, folder):
        (folder / "generation_config.json").write_text("{")
        assert "generation_config.json" in refuse(1, "generate", folder, "The")
        self.write(folder, do_sample=True, temperature=-1)
        assert "temperature" in refuse(1, "generate", folder, "The")


@pytest.mark.skipif(not TRAINED.exists(), reason="../shared/interchange is not there")
def test_a_trained_model_of_the_library_goes_on_as_there():
    for item in json.loads((TRAINED / "greedy_text.json").read_text()):
        if item["smallest_top2_gap"] < 1e-3 or not item["prompt"]:
            continue  # too near to a tie, or no prompt
        said = succeed("generate", TRAINED, "--json", "--max-new-tokens", len(item["new_ids"]), item["prompt"]).out
        assert json.loads(said)["text"] == item["new_text"]
        ids = succeed("tokenize", TRAINED, "--ids", item["prompt"]).out.split()
        assert [int(i) for i in ids] == item["prompt_ids"]
