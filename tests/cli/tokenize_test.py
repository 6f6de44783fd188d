"""tokenize: what a model sees of a text, and back; and tokenizer.json in the other commands."""

import json
import random
import shutil
from pathlib import Path

import pytest

from program import refuse, run, succeed

GOLDEN = Path(__file__).parents[1] / "golden" / "tokenizers"
LLAMA3 = GOLDEN / "llama3"


def cases(folder, most=40):
    lines = (folder / "cases.jsonl").read_text(encoding="utf-8").split("\n")
    items = [json.loads(line) for line in lines if line]
    return [item for item in items if item["text"] and "\0" not in item["text"]][:most]


@pytest.mark.parametrize("folder", [LLAMA3, GOLDEN / "llama2_metaspace_first"], ids=lambda folder: folder.name)
def test_ids_are_the_librarys_with_what_is_put_before_a_text_or_without(folder):
    items = cases(folder)
    texts = [item["text"] for item in items]
    said = succeed("tokenize", folder, "--ids", "--", *texts).out.splitlines()
    assert [[int(i) for i in line.split()] for line in said] == [item["ids"] for item in items]
    said = succeed("tokenize", folder, "--ids", "--bare", "--", *texts).out.splitlines()
    assert [[int(i) for i in line.split()] for line in said] == [item["ids_no_special"] for item in items]


def test_it_shows_pieces_and_the_text_that_comes_back():
    said = succeed("tokenize", LLAMA3, "Hello world").out
    ids = next(item["ids"] for item in cases(LLAMA3, 400) if item["text"] == "Hello world")
    lines = dict(line.split(maxsplit=1) for line in said.splitlines())
    assert lines["tokens"] == str(len(ids)) and lines["ids"] == " ".join(map(str, ids))
    assert json.loads(lines["text"]) == "Hello world"
    pieces = json.loads(lines["pieces"])
    assert pieces[0] == "<|begin_of_text|>" and "".join(pieces[1:]) == "Hello\u0120world"
    assert json.loads(succeed("tokenize", LLAMA3, "--pieces", "Hello world").out) == pieces


def test_lines_of_standard_input_and_back():
    ids = succeed("tokenize", LLAMA3, "--ids", stdin="Hello world\r\nHello\n").out
    assert succeed("tokenize", LLAMA3, "--decode", stdin=ids).out == "Hello world\nHello\n"
    assert succeed("tokenize", LLAMA3, "--decode", "39, 1").out != ""


def test_prepared_data_and_a_bytes_tokenizer_are_shown_too(world):
    said = succeed("tokenize", world.data, "--pieces", "the")
    pieces = json.loads(said.out)
    assert pieces[0] == "<s>" and "".join(pieces[1:]) == "\u2581the"


def test_what_is_wrong_is_said(tmp_path):
    assert "there is no tokenizer here" in refuse(1, "tokenize", tmp_path / "none", "text")
    assert "holds no tokenizer" in refuse(1, "tokenize", tmp_path, "text")
    assert "WordPiece" in refuse(1, "tokenize", GOLDEN / "refused" / "wordpiece.json", "text")
    assert "token ids" in refuse(2, "tokenize", LLAMA3, "--decode", "12 x")
    assert "99999999" in refuse(2, "tokenize", LLAMA3, "--decode", "99999999")
    assert refuse(2, "tokenize", LLAMA3, "--ids", "--pieces", "text")


class TestHostileFiles:
    def write(self, folder, change):
        document = json.loads((LLAMA3 / "tokenizer.json").read_text(encoding="utf-8"))
        change(document)
        (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
        return folder

    def test_json_of_a_hundred_thousand_levels(self, tmp_path):
        (tmp_path / "tokenizer.json").write_text('{"model": ' + "[" * 100_000 + "]" * 100_000 + "}")
        assert "nested" in refuse(1, "tokenize", tmp_path, "text")

    def test_a_pattern_that_backtracks_forever(self, tmp_path):
        def change(document):
            document["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": "(a+)+$"}
        folder = self.write(tmp_path, change)
        assert "takes too long" in refuse(1, "tokenize", folder, "a" * 200 + "!")

    def test_a_pattern_of_another_engine(self, tmp_path):
        def change(document):
            document["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": "[\\p{L}&&[^a]]+"}
        assert "&&" in refuse(1, "tokenize", self.write(tmp_path, change), "text")

    def test_an_id_far_beyond_the_others(self, tmp_path):
        def change(document):
            document["model"]["vocab"]["qqqqqq"] = 2_000_000_000
        assert "far beyond" in refuse(1, "tokenize", self.write(tmp_path, change), "text")


def prepare(world, folder, tokenizer):
    config = world.write(f"{folder.name}.yaml", f"""\
output: {folder}
tokenizer: {{kind: path, path: {tokenizer}}}
sources:
  - {{kind: biographies, people: 20, copies: 2}}
validation_share: 0.02
""")
    return config


def test_text_is_prepared_with_it_and_a_model_trained_on_that_speaks_it(world, tmp_path):
    data = tmp_path / "prepared_with_json"
    succeed("prepare", "--config", prepare(world, data, LLAMA3))
    assert (data / "tokenizer.json").read_bytes() == (LLAMA3 / "tokenizer.json").read_bytes()
    config, folder = world.config("speaks_json", steps=3)
    succeed("train", "--config", config, f"data.sources.0.path={data}", f"output={tmp_path / 'run'}")
    prompts = ["Where", "[is, it]"]  # not a list of two
    for call in (prompts, ["--prompt", prompts[0], "--prompt", prompts[1]]):
        said = succeed("generate", tmp_path / "run", "--max-new-tokens", 3, "--json", *call)
        assert [json.loads(line)["prompt"] for line in said.out.splitlines()] == prompts
    ids = succeed("tokenize", tmp_path / "run" / "checkpoints" / "step-00000003", "--ids", "Where").out.split()
    assert ids == succeed("tokenize", LLAMA3, "--ids", "Where").out.split()


def test_a_tokenizer_without_an_end_of_document_is_refused_for_data(world, tmp_path):
    shutil.copy(LLAMA3 / "tokenizer.json", tmp_path)
    data = tmp_path / "no_end"
    said = refuse(2, "prepare", "--config", prepare(world, data, tmp_path))
    assert "eos_token" in said and not data.exists()


def test_any_text_has_the_librarys_ids():
    tokenizers = pytest.importorskip("tokenizers")
    library = tokenizers.Tokenizer.from_file(str(LLAMA3 / "tokenizer.json"))
    draw = random.Random(7)
    alphabet = [" ", "  ", "\t", "a", "B", "1", "23", "'s", "'\u017f", "!", "\u00e9", "e\u0301", "\u4f60", "\U0001f600", "\u00a0",
                "\u2003", "\u180e", "\u0085", "_", "-", "<|eot_id|>", "the", " and", "\u0661", "\u00bd", "\u200b", "\u0e01\u0e33"]
    texts = ["x" + "".join(draw.choice(alphabet) for _ in range(draw.randint(1, 40))) + "x" for _ in range(300)]
    said = run("tokenize", LLAMA3, "--ids", "--", *texts).out.splitlines()
    for text, line in zip(texts, said, strict=True):
        assert [int(i) for i in line.split()] == library.encode(text).ids, repr(text)
