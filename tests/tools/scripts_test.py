"""The shell scripts parse, pass shellcheck where it is installed, explain themselves, and refuse what they do not know."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["quickstart", "test", ".ci/run", "tools/setup", "tools/build", "tools/format"]
WITH_HELP = [script for script in SCRIPTS if script != ".ci/run"]


def call(*command, **environment):
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, env=os.environ | environment, timeout=120)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_executable_and_parses(script):
    assert os.access(ROOT / script, os.X_OK)
    result = call("bash", "-n", ROOT / script)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_passes_shellcheck(script):
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    result = call("shellcheck", ROOT / script)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("script", WITH_HELP)
def test_help_says_how_to_call_it_and_exits_0(script):
    result = call(ROOT / script, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("usage: ")
    assert script in result.stdout.splitlines()[0]
    assert result.stderr == ""


@pytest.mark.parametrize("script", ["quickstart", "tools/setup", "tools/build", "tools/format", "tools/check_tree.py"])
def test_an_unknown_flag_exits_2_and_says_so(script):
    result = call(ROOT / script, "--no-such-flag")
    assert result.returncode == 2
    assert "usage" in result.stderr or "--no-such-flag" in result.stderr


@pytest.mark.parametrize("arguments, reason", [
    (["--facts"], "--facts expects a value"),
    (["--facts", "many"], "--facts expects a whole number, got 'many'"),
    (["--exposures", "0"], "--exposures expects at least 1, got 0"),
    (["--seeds", "1 two"], "--seeds expects a whole number, got 'two'"),
    (["--seeds", ""], "--seeds expects at least one number"),
    (["extra"], "unknown argument extra"),
])
def test_quickstart_refuses_a_bad_value_before_it_does_anything(arguments, reason):
    result = call(ROOT / "quickstart", *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(f"quickstart: {reason}")
    assert result.stdout == ""


def test_setup_called_again_changes_nothing_and_says_so():
    if call(ROOT / "tools/setup", "--check", "--tests").returncode != 0:
        pytest.skip("this machine lacks some of what tools/setup --tests installs")
    result = call(ROOT / "tools/setup", "--tests")
    assert (result.returncode, result.stdout, result.stderr) == (0, "setup: everything is there\n", "")


def test_setup_check_names_what_is_missing_and_installs_nothing(tmp_path):
    result = call(ROOT / "tools/setup", "--check", XDG_CACHE_HOME=str(tmp_path), MEMLAYERS_TORCH_DIR="")
    assert result.returncode == 1
    assert f"setup: missing: libtorch 2.11.0 in {tmp_path}/memlayers/torch-2.11.0" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_setup_does_not_download_over_a_folder_that_was_named(tmp_path):
    if call(ROOT / "tools/setup", "--check", MEMLAYERS_TORCH_DIR="").returncode != 0:
        pytest.skip("this machine lacks some of what tools/setup installs")
    result = call(ROOT / "tools/setup", MEMLAYERS_TORCH_DIR=str(tmp_path))
    assert result.returncode == 1
    assert result.stderr == (f"setup: MEMLAYERS_TORCH_DIR is {tmp_path}, but torch 2.11.0 is not there; "
                             "correct it or unset it\n")


def stand_ins(folder: Path, **programs: str) -> str:
    """A PATH on which each named program is the given shell text."""
    for name, text in programs.items():
        (folder / name.replace("_", "-")).write_text("#!/bin/sh\n" + text + "\n")
        (folder / name.replace("_", "-")).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_setup_without_root_or_sudo_prints_the_exact_line_to_run(tmp_path):
    # Nothing is installed, the user is not root, and sudo refuses: the script must stop before it calls apt-get.
    path = stand_ins(tmp_path, dpkg_query="exit 1", id="echo 1000", sudo="exit 1", apt_get="echo called; exit 9")
    result = call(ROOT / "tools/setup", PATH=path)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "apt-get install -y --no-install-recommends g++ cmake ninja-build" in result.stderr
    assert "called" not in result.stdout + result.stderr


def test_setup_installs_only_the_missing_packages(tmp_path):
    missing = "libcli11-dev"
    listing = tmp_path / "calls"
    path = stand_ins(
        tmp_path,
        dpkg_query=f'/usr/bin/dpkg-query "$@" | grep -v {missing}',
        id="echo 0",
        apt_get=f'echo "$@" >> {listing}')
    if call(ROOT / "tools/setup", "--check", MEMLAYERS_TORCH_DIR="").returncode != 0:
        pytest.skip("this machine lacks some of what tools/setup installs")
    result = call(ROOT / "tools/setup", PATH=path, MEMLAYERS_TORCH_DIR="")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"setup: installing Debian packages: {missing}\nsetup: done\n"
    assert listing.read_text().splitlines() == [
        f"-q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install -y --no-install-recommends {missing}"]


def test_format_check_names_a_file_that_is_not_formatted(tmp_path):
    formatter = shutil.which("clang-format")
    if formatter is None or "version 14." not in call(formatter, "--version").stdout:
        pytest.skip("clang-format 14 is not installed")
    source = tmp_path / "messy.cpp"
    source.write_text("int  main( ){return 0 ;}\n")
    result = call(ROOT / "tools/format", "--check", source)
    assert result.returncode == 1
    assert result.stdout == f"format: {source} is not formatted (tools/format mends it)\n"
    assert call(ROOT / "tools/format", source).returncode == 0
    assert call(ROOT / "tools/format", "--check", source).returncode == 0
