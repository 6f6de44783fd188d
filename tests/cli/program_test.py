"""The program without any data: usage, version, unknown commands and flags."""

import re
import subprocess

import pytest

from program import PROGRAM, refuse, run, succeed

COMMANDS = ["prepare", "train", "eval", "generate", "compare", "report", "inspect", "plan", "bench"]


def test_without_a_command_it_prints_how_it_is_used_and_exits_2():
    result = run()
    assert result.code == 2
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", result.err, re.M), result


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_lists_every_command(flag):
    out = succeed(flag).out
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", out, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    result = succeed(command, "--help")
    assert f"memlayers {command}" in result.out
    assert result.err == ""


@pytest.mark.parametrize("command,key", [("train", "model.memory.num_sub_keys"), ("compare", "run.optimizer.learning_rate")])
def test_help_lists_the_configuration_keys(command, key):
    assert key in succeed(command, "--help").out


def test_version_names_the_build():
    assert re.fullmatch(r"memlayers \d+\.\d+\.\d+ \((unknown|[0-9a-f]+(-dirty)?)\)\n", succeed("--version").out)


def test_an_unknown_command_names_the_nearest_one():
    line = refuse(2, "trian")
    assert line.startswith("memlayers: ") and "'trian'" in line and "'train'" in line


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_flag_is_refused_in_one_line(command):
    line = refuse(2, command, "--no-such-flag")
    assert line.startswith(f"memlayers {command}: ") and "--no-such-flag" in line or "required" in line


def test_a_flag_without_its_value_is_refused():
    assert "--config" in refuse(2, "train", "--config")


def test_a_number_that_is_none_is_refused():
    assert "--limit" in refuse(2, "eval", "somewhere", "--questions", "q.jsonl", "--limit", "many")


def test_a_reader_that_goes_away_ends_it_quietly():
    done = subprocess.run(f"'{PROGRAM}' train --help | head -n 1", shell=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
