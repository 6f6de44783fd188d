"""The shell scripts parse, pass shellcheck where it is installed, explain themselves, and refuse what they do not know."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["quickstart", "test", ".ci/run", "tools/setup", "tools/build", "tools/format", "tools/gpu_check", "tools/install"]
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


@pytest.mark.parametrize("script", ["quickstart", "tools/setup", "tools/build", "tools/format", "tools/install", "tools/check_tree.py"])
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
    (["--experiment", "no_such"], "--experiment expects the name of a file in experiments/, got 'no_such'"),
    (["--experiment", "kinds", "--seeds", "1"], "--experiment takes facts, exposures and seeds from experiments/kinds.yaml"),
    (["--jobs", "2"], "--jobs goes with --experiment"),
    (["--experiment", "kinds", "--jobs", "0"], "--jobs expects at least 1, got 0"),
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


PREPARED = """{
  "train": {
    "documents": 3000,
    "tokens": 480000
  },
  "facts": {
    "count": 4000,
    "sentences": 24000
  }
}"""
# Writes down how it is called, and leaves behind what the real program would.
PROGRAM = f"""#!/bin/bash
echo "$*" >> calls
for word in "$@"; do case "$word" in output=*) folder="${{word#output=}}" ;; esac; done
case "$1" in
  prepare) mkdir -p "${{folder:=data/quickstart}}"; cat > "$folder/prepare.json" <<'END'
{PREPARED}
END
  ;;
  compare) {{compare}} ;;
esac
"""


def quickstart_in(folder: Path, *arguments, compare='touch "$folder/report.html"'):
    """Runs a copy of ./quickstart on stand-ins for setup, build and program; gives the result and the program's calls."""
    for name, text in {"tools/setup": "#!/bin/sh\n", "tools/build": "#!/bin/sh\n",
                       "build/release/memlayers": PROGRAM.replace("{compare}", compare)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    shutil.copy(ROOT / "quickstart", folder)
    (folder / "configs/quickstart").mkdir(parents=True)
    (folder / "configs/quickstart/compare.yaml").write_text("run:\n  data:\n    seq_len: 128\n    batch_size: 32  # B\n")
    result = call(folder / "quickstart", *arguments)
    calls = folder / "calls"
    return result, calls.read_text().splitlines() if calls.exists() else []


def test_quickstart_prepares_compares_and_says_where_the_report_is(tmp_path):
    result, calls = quickstart_in(tmp_path)
    assert result.returncode == 0, result.stderr
    assert calls == ["prepare --config configs/quickstart/data.yaml",
                     "compare --config configs/quickstart/compare.yaml output=runs/quickstart"]
    assert result.stdout.count("== done in 0:0") == 4
    assert result.stdout.splitlines()[-1].endswith(f"the report is {tmp_path}/runs/quickstart/report.html")


def test_quickstart_turns_exposures_into_steps_and_keeps_other_settings_apart(tmp_path):
    result, calls = quickstart_in(tmp_path, "--facts", "500", "--exposures", "30", "--seeds", "1 2")
    assert result.returncode == 0, result.stderr
    # A pass has 480,000 tokens and reads each fact six times: five passes of 4,096 tokens a step are 585.9 steps.
    assert calls == [
        "prepare --config configs/quickstart/data.yaml output=data/quickstart-500-facts sources.0.limit_facts=500",
        "compare --config configs/quickstart/compare.yaml run.data.sources.0.path=data/quickstart-500-facts "
        "seeds=[1,2] output=runs/quickstart-500-facts-30-exposures-seeds-1-2 run.steps=586"]


def test_quickstart_runs_an_experiment_in_place_of_its_own(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/kinds.yaml").write_text("title: Kinds\n")
    result, calls = quickstart_in(tmp_path, "--experiment", "kinds")
    assert (result.returncode, calls) == (0, ["experiment experiments/kinds.yaml"]), result.stderr
    assert result.stdout.count("== done in 0:0") == 3


def test_quickstart_stops_where_a_step_fails_with_its_status(tmp_path):
    result, _ = quickstart_in(tmp_path, compare="exit 1")
    assert result.returncode == 1
    assert result.stderr.startswith('quickstart: "compare:')
    assert "report.html" not in result.stdout


def test_quickstart_claims_no_report_when_the_program_was_interrupted(tmp_path):
    # Interrupted, the program saves and exits 0 without writing the page.
    result, _ = quickstart_in(tmp_path, compare="exit 0")
    assert result.returncode == 130
    assert result.stderr.strip() == "quickstart: interrupted; the same call again continues"


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be a GPU")
def test_gpu_check_says_that_there_is_no_gpu():
    result = call(ROOT / "tools/gpu_check")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "gpu_check: there is no GPU here (nvidia-smi finds none), and this checks nothing else\n"
