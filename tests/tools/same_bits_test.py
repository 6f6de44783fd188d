"""tools/same_bits on stand-in programs, which "train" by writing a tensor file."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Writes what a checkpoint holds: two float32 tensors of two elements; {flip} is added to the last byte of the second.
PROGRAM = """#!/usr/bin/env python3
import json, sys
from pathlib import Path

keys = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
if sys.argv[1] == "train":
    folder = Path(keys["output"]) / "checkpoints/step-00000003"
    folder.mkdir(parents=True)
    header = {{"first": {{"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}},
              "{second}": {{"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}}}
    text = json.dumps(header).encode()
    data = bytes(range(15)) + bytes([15 + {flip}])
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
sys.exit({status})
"""


def program(folder: Path, name: str, flip=0, second="second", status=0) -> Path:
    build = folder / name
    build.mkdir()
    (build / "memlayers").write_text(PROGRAM.format(flip=flip, second=second, status=status))
    (build / "memlayers").chmod(0o755)
    return build


def same_bits(*arguments):
    return subprocess.run([str(part) for part in (ROOT / "tools/same_bits", *arguments)], capture_output=True,
                          text=True, check=False, timeout=120)


def compare(ours: Path, theirs: Path, *more):
    return same_bits(theirs, "--build", ours, "--case", "dense", "--threads", "1", *more)


def test_equal_tensors_are_the_same(tmp_path):
    done = compare(program(tmp_path, "a"), program(tmp_path, "b"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "same  dense, threads 1: 2 tensors\nsame_bits: 1 of 1 equal\n"


def test_one_flipped_bit_is_named_by_its_tensor(tmp_path):
    done = compare(program(tmp_path, "a"), program(tmp_path, "b", flip=1))
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["DIFFERENT  dense, threads 1: 2 tensors",
                                        "    model.safetensors: second differs", "same_bits: 0 of 1 equal"]


def test_a_tensor_that_only_one_has_is_named(tmp_path):
    done = compare(program(tmp_path, "a"), program(tmp_path, "b", second="other"))
    assert done.returncode == 1
    assert "model.safetensors: other is only in one" in done.stdout
    assert "model.safetensors: second is only in one" in done.stdout


def test_a_program_itself_may_be_named_in_place_of_its_folder(tmp_path):
    assert compare(program(tmp_path, "a") / "memlayers", program(tmp_path, "b") / "memlayers").returncode == 0


def test_every_case_and_thread_count_is_a_line(tmp_path):
    done = same_bits(program(tmp_path, "b"), "--build", program(tmp_path, "a"), "--case", "peer", "--case", "beside")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        f"same  {case}, threads {threads}" for case in ("peer", "beside") for threads in (1, 2)] + ["same_bits"]


@pytest.mark.parametrize("broken", ["missing", "failing"])
def test_a_program_that_is_missing_or_fails_ends_it_with_a_message(tmp_path, broken):
    other = tmp_path / "nowhere" if broken == "missing" else program(tmp_path, "b", status=3)
    done = compare(program(tmp_path, "a"), other)
    assert done.returncode == 1
    assert done.stderr.startswith("same_bits: ") and str(other) in done.stderr and "Traceback" not in done.stderr


def test_an_unknown_case_is_refused_and_the_known_ones_are_listed(tmp_path):
    done = same_bits(tmp_path, "--case", "no_such")
    assert done.returncode == 2 and "no_such" in done.stderr
    assert "memory_plus_exact: " in same_bits("--list").stdout
