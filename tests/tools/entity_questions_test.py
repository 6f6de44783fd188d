"""tools/entity_questions: the authors' files to our lines, as a zip and as a folder; what is wrong is named; our own file comes back."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("MEMLAYERS_SHARED_DIR", ROOT.parent / "shared")) / "data" / "facts"

WORK = [{"question": "What kind of work does Zoë O'Neil do?", "answers": ["poet", "actor"]},
        {"question": "What kind of work does What kind of work does X do? do?", "answers": ["painter"]}]
CHILD = [{"question": "Who is Ann's's child?", "answers": ["Bob"]}]
LINES = [
    '{"relation": "P106", "subject": "Zoë O\'Neil", "objects": ["poet", "actor"], "question": "What kind of work does Zoë O\'Neil do?"}',
    '{"relation": "P106", "subject": "What kind of work does X do?", "objects": ["painter"], '
    '"question": "What kind of work does What kind of work does X do? do?"}',
    '{"relation": "P40", "subject": "Ann\'s", "objects": ["Bob"], "question": "Who is Ann\'s\'s child?"}',
]


def run(*arguments):
    return subprocess.run([sys.executable, ROOT / "tools" / "entity_questions", *map(str, arguments)], capture_output=True,
                          text=True, check=False)


def publish(folder, split="train", **relations):
    """A dataset as its authors lay it out, ASCII and indented."""
    for relation, items in relations.items():
        path = folder / "dataset" / split / f"{relation}.{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(items if isinstance(items, str) else json.dumps(items, indent=4))
    return folder / "dataset"


def packed(folder, output):
    with zipfile.ZipFile(output, "w") as archive:
        for path in sorted(folder.rglob("*.json")):
            archive.write(path, path.relative_to(folder.parent))
        archive.writestr("__MACOSX/dataset/train/._P106.train.json", b"\x00")
    return output


def test_files_become_lines_in_the_order_of_relations(tmp_path):
    dataset = publish(tmp_path, P40=CHILD, P106=WORK)
    publish(tmp_path / "dataset", "one-off", P19=[])
    for given in (dataset, tmp_path, packed(dataset, tmp_path / "dataset.zip")):
        output = tmp_path / "out" / "facts.jsonl"
        done = run(given, "--part", "--output", output)
        assert (done.returncode, done.stderr) == (0, ""), given
        assert done.stdout == f"{output}: 3 questions\n"
        assert output.read_text(encoding="utf-8").splitlines() == LINES
        output.unlink()


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_a_name_that_says_zst_is_packed(tmp_path):
    output = tmp_path / "facts.jsonl.zst"
    assert run(publish(tmp_path, "dev", P40=CHILD), "--split", "dev", "--part", "--output", output).returncode == 0
    unpacked = subprocess.run(["zstd", "-dc", output], capture_output=True, check=True).stdout.decode()
    assert unpacked.splitlines() == LINES[2:]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("facts")] == ["facts.jsonl.zst"]


def test_without_arguments_it_says_what_to_fetch():
    done = run()
    assert done.returncode == 2
    for said in ["https://nlp.cs.princeton.edu/projects/entity-questions/dataset.zip", "MIT license", "DATASET", "Sciavolino"]:
        assert said in done.stderr
    assert run("--help").returncode == 0


@pytest.mark.parametrize("relations,said", [
    ({"P106": [{"question": "Who owns X?", "answers": ["Y"]}]},
     "train/P106.train.json: item 0: 'Who owns X?' is not worded 'What kind of work does [X] do?'"),
    ({"P112": [{"question": "Who founded ?", "answers": ["Y"]}]}, "item 0: 'Who founded ?' is not worded"),
    ({"P106": WORK + [{"question": "What kind of work does X do?"}]}, "item 2: expected an object with the fields question and answers"),
    ({"P106": WORK + ["text"]}, "item 2: expected an object with the fields"),
    ({"P106": [{"question": "What kind of work does X do?", "answers": []}]}, "item 0: expected answers, a list of text"),
    ({"P106": {"question": "x"}}, "expected a list of questions"),
    ({"P106": "[{"}, "train/P106.train.json: Expecting property name"),
    ({"P1": CHILD}, "train/P1.train.json: it is none of the relations that have a template here"),
])
def test_what_is_wrong_is_named_and_nothing_is_written(tmp_path, relations, said):
    output = tmp_path / "facts.jsonl"
    done = run(publish(tmp_path, **relations), "--part", "--output", output)
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert not output.exists()


def test_a_part_is_no_dataset_and_neither_is_another_file(tmp_path):
    done = run(publish(tmp_path, P106=WORK), "--output", tmp_path / "facts.jsonl")
    assert done.returncode == 1 and "expected 176,560 questions in train, got 2" in done.stderr
    assert "no test/P106.test.json" in run(tmp_path, "--split", "test", "--part").stderr
    (tmp_path / "other").write_text("text")
    assert "expected the authors' dataset.zip" in run(tmp_path / "other").stderr
    assert run(tmp_path / "absent").returncode == 1
    assert not (tmp_path / "facts.jsonl").exists()


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_dataset_made_of_our_file_gives_our_file(tmp_path, split):
    ours = SHARED / f"entity_questions.{split}.jsonl.zst"
    if not ours.exists() or shutil.which("zstd") is None:
        pytest.skip(f"{ours} or the program zstd is not there")
    text = subprocess.run(["zstd", "-dc", ours], capture_output=True, check=True).stdout
    relations = {}
    for line in text.decode().splitlines():
        fact = json.loads(line)
        relations.setdefault(fact["relation"], []).append({"question": fact["question"], "answers": fact["objects"]})
    output = tmp_path / "facts.jsonl"
    done = run(publish(tmp_path, split, **relations), "--split", split, "--output", output)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == text
