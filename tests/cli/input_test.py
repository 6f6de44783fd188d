"""What comes in through pipes and under names that are not UTF-8: whole, or refused by name before work."""

import json
import os
import shlex
import signal
import subprocess
import time

import pytest

from program import PROGRAM, interrupt_when, refuse, succeed

TEXT = "".join(f"Sentence number {i:05d} of a text that comes through a pipe.\n" for i in range(5000))
RECORDS = "".join(json.dumps({"text": f"Record {i}."}) + "\n" for i in range(3000))


def shell(command, cwd, **options):
    text = command.replace("MEMLAYERS", shlex.quote(PROGRAM))
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(["bash", "-c", text], cwd=cwd, capture_output=True, timeout=120, env=env, **options)


def shard(folder):
    return (folder / "train-00000.bin").read_bytes()


@pytest.fixture
def place(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "records.jsonl").write_text(RECORDS)
    return tmp_path


class TestPipes:
    @pytest.mark.parametrize("file,way", [
        ("text.txt", "prepare <(cat text.txt)"),
        ("text.txt", "prepare <(gzip -c text.txt)"),
        ("text.txt", "prepare /dev/stdin < text.txt"),
        ("records.jsonl", "prepare <(cat records.jsonl)"),
        ("records.jsonl", "prepare /dev/stdin < <(gzip -c records.jsonl)"),
    ])
    def test_prepared_data_are_those_of_the_file(self, place, file, way):
        succeed("prepare", file, "--output", "file", "--tokenizer", "bytes", cwd=place)
        done = shell(f"MEMLAYERS {way.replace('prepare', 'prepare --output pipe --tokenizer bytes')}", place)
        assert done.returncode == 0, done
        assert shard(place / "pipe") == shard(place / "file")

    def test_a_pipe_named_twice_is_there_twice(self, place):
        succeed("prepare", "text.txt", "text.txt", "--output", "file", "--tokenizer", "bytes", cwd=place)
        done = shell("cat text.txt | MEMLAYERS prepare /dev/stdin /dev/stdin --output pipe --tokenizer bytes", place)
        assert done.returncode == 0, done
        assert shard(place / "pipe") == shard(place / "file")

    def test_a_configuration_comes_through_one(self, place):
        done = shell("MEMLAYERS prepare --config <(echo '{output: o, tokenizer: {kind: bytes}, "
                     "sources: [{kind: text, path: text.txt}]}')", place)
        assert done.returncode == 0, done

    def test_questions_come_through_one(self, world, trained):
        questions = world.data / "questions.jsonl"
        asked = succeed("eval", trained, "--questions", questions, "--limit", "4", "--json")
        done = shell(f"MEMLAYERS eval {trained} --questions <(cat {questions}) --limit 4 --json", world.folder)
        assert done.returncode == 0, done
        assert json.loads(done.stdout)["scores"] == json.loads(asked.out)["scores"]

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_the_wait_for_a_writer(self, place, how):
        os.mkfifo(place / "fifo")
        before = set(os.listdir("/tmp"))

        ended = interrupt_when(Patience(0.5), "prepare", place / "fifo", "--output", place / "o", how=how, timeout=20)
        assert ended.code == 1 and "fifo" in ended.error, ended
        assert not (place / "o").exists()
        assert not [name for name in set(os.listdir("/tmp")) - before if name.startswith("memlayers-input")]

    def test_a_signal_ends_the_wait_for_more_bytes(self, place):
        os.mkfifo(place / "fifo")
        writer = os.open(place / "fifo", os.O_RDWR)
        os.write(writer, b"a beginning\n")
        try:
            ended = interrupt_when(Patience(0.5), "prepare", place / "fifo", "--output", place / "o", timeout=20)
        finally:
            os.close(writer)
        assert ended.code == 1 and "fifo" in ended.error, ended
        assert not (place / "o").exists()

    def test_a_device_is_refused(self, place):
        assert "/dev/zero" in refuse(1, "prepare", "/dev/zero", "--output", place / "o")


class Patience:
    """A condition that holds after some seconds."""

    def __init__(self, seconds):
        self.end = None
        self.seconds = seconds

    def __call__(self):
        self.end = self.end or time.monotonic() + self.seconds
        return time.monotonic() > self.end


class TestNames:
    @pytest.mark.parametrize("arguments", [
        ["prepare", b"caf\xe9.jsonl", "--output", "o"],
        ["prepare", "records.jsonl", "--output", b"caf\xe9"],
        ["prepare", "records.jsonl", "--output", "o", "--tokenizer", b"caf\xe9"],
        ["prepare", "--config", b"caf\xe9.yaml"],
        ["train", "--config", "a.yaml", "--data", b"caf\xe9"],
        ["train", "--config", "a.yaml", b"output=caf\xe9"],
        ["eval", b"caf\xe9", "--questions", "records.jsonl"],
        ["eval", "m", "--questions", b"caf\xe9"],
        ["inspect", b"caf\xe9"],
        ["compare", "--config", b"caf\xe9.yaml"],
        ["report", b"caf\xe9"],
        ["plan", b"caf\xe9.yaml"],
    ])
    def test_one_that_is_not_utf8_is_refused_before_work(self, place, arguments):
        (place / "a.yaml").write_text("steps: 1\n")
        done = subprocess.run([PROGRAM, *arguments], cwd=place, capture_output=True, timeout=60)
        said = done.stderr.decode()
        assert done.returncode == 2 and "caf" in said and "UTF-8" in said and "type_error" not in said, said
        assert sorted(path.name for path in place.iterdir()) == ["a.yaml", "records.jsonl", "text.txt"]

    def test_a_link_to_it_is_read(self, place):
        real = os.fsencode(place) + b"/caf\xe9.jsonl"
        os.rename(place / "records.jsonl", real)
        os.symlink(real, place / "link.jsonl")
        succeed("prepare", "link.jsonl", "--output", "o", "--tokenizer", "bytes", cwd=place)
