"""tools/install puts a program somewhere that needs nothing of the checkout and its caches, and takes it away again."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = Path(os.environ.get("MEMLAYERS_PROGRAM", ROOT / "build/release/memlayers"))


def call(*command, cwd=ROOT, env=None):
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False,
                          timeout=300, stdin=subprocess.DEVNULL, env=env)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installation beside a file of somebody else."""
    if BUILT != ROOT / "build/release/memlayers":
        pytest.skip("tools/install installs build/release")
    folder = tmp_path_factory.mktemp("installed") / "a prefix"
    (folder / "share").mkdir(parents=True)
    (folder / "share/theirs").write_text("theirs")
    done = call(ROOT / "tools/install", folder, "--as-built")
    assert done.returncode == 0, done.stderr
    assert f"{folder}/bin/memlayers is there" in done.stdout
    return folder


def bare_environment(**more):
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **more}


def test_it_runs_from_any_folder_with_no_home(prefix, tmp_path):
    version = call(prefix / "bin/memlayers", "--version", cwd=tmp_path, env=bare_environment())
    assert (version.returncode, version.stderr) == (0, "") and version.stdout.startswith("memlayers ")
    plan = call(prefix / "bin/memlayers", "plan", prefix / "share/memlayers/configs/paper/134m_memory.yaml",
                cwd=tmp_path, env=bare_environment())
    assert plan.returncode == 0 and "memory tables" in plan.stdout, plan.stderr


def test_every_library_but_the_systems_own_is_the_installed_one(prefix):
    loaded = call("ldd", prefix / "bin/memlayers", env=bare_environment()).stdout
    assert "not found" not in loaded
    found = dict(line.strip().split(" => ") for line in loaded.splitlines() if " => " in line)
    for library in ("libmemlayers_ops.so", "libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13",
                    "libcupti.so.13", "libsimdjson.so", "libsentencepiece.so", "libsentencepiece_train.so", "libyaml-cpp.so"):
        paths = [path for name, path in found.items() if name.startswith(library)]
        assert paths, f"{library} is not loaded"
        for path in paths:
            assert (prefix / "lib/memlayers").samefile(Path(path.rsplit(" (", 1)[0]).parent), path


def test_nothing_in_it_names_the_caches_or_the_build(prefix):
    if shutil.which("readelf") is None:
        pytest.skip("there is no readelf")
    for file in [prefix / "bin/memlayers", *(prefix / "lib/memlayers").glob("*.so*")]:
        for line in call("readelf", "-d", file).stdout.splitlines():
            if "RPATH" in line or "RUNPATH" in line:
                entries = line.split("[", 1)[1].rstrip("]").split(":")
                assert all(entry.startswith("$ORIGIN") for entry in entries), f"{file}: {line}"


def test_it_runs_for_another_user(prefix, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    copy = Path("/tmp") / f"memlayers-install-test-{os.getpid()}"  # pytest's own folders are closed to others
    try:
        shutil.copytree(prefix, copy, symlinks=True)
        copy.chmod(0o755)
        done = subprocess.run([str(copy / "bin/memlayers"), "--version"], capture_output=True, text=True, check=False,
                              cwd="/", env=bare_environment(), user=65534, group=65534, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        for path in [copy, *copy.rglob("*")]:
            assert path.is_symlink() or path.stat().st_mode & 0o004, f"{path} is closed to others"
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def test_license_documents_experiments_and_completion_are_where_others_have_theirs(prefix):
    for name in ("share/doc/memlayers/LICENSE", "share/doc/memlayers/README.md",
                 "share/doc/memlayers/docs/file_formats.md", "share/memlayers/experiments/kinds.yaml",
                 "share/bash-completion/completions/memlayers", "share/zsh/site-functions/_memlayers",
                 "share/fish/vendor_completions.d/memlayers.fish"):
        assert (prefix / name).is_file(), name


# Each: the words of a command line, what must be offered and what must not.
COMPLETIONS = [
    (["memlayers", ""], {"train", "eval", "--version"}, {"usage:"}),
    (["memlayers", "tr"], {"train"}, {"eval"}),
    (["memlayers", "eval", "--"], {"--questions", "--json", "--help"}, {"--config"}),
    (["memlayers", "train", "--config", "x.yaml", "optimizer.le"], {"optimizer.learning_rate="}, {"steps="}),
    (["memlayers", "inspect", "run", "--split", ""], {"train", "validation"}, {"--json"}),
    (["memlayers", "inspect", "run", "-"], {"-o", "--output"}, set()),
]


@pytest.mark.parametrize("words, offered, not_offered", COMPLETIONS)
def test_bash_completes_what_help_says(prefix, words, offered, not_offered):
    line = " ".join(f"'{word}'" for word in words)
    script = (f"source '{prefix}/share/bash-completion/completions/memlayers'; COMP_WORDS=({line}); "
              f"COMP_CWORD={len(words) - 1}; _memlayers memlayers '{words[-1]}' '{words[-2]}'; "
              "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = call("bash", "-c", script, env=bare_environment(PATH=f"{prefix}/bin:/usr/bin:/bin"))
    replies = set(done.stdout.split())
    assert offered <= replies, done
    assert not not_offered & replies, done


# The completing function of zsh with its two ways to answer replaced, and fish as it would answer its user.
ZSH = """fpath=({prefix}/share/zsh/site-functions); autoload _memlayers; words=({line}); CURRENT=$#words
compadd() {{ while [[ $1 != -- ]]; do shift; done; shift; print -rl -- "$@" }}
_files() {{ print FILES }}
_memlayers"""
FISH = "source {prefix}/share/fish/vendor_completions.d/memlayers.fish; complete -C {line}"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.parametrize("words, offered, not_offered", COMPLETIONS)
def test_other_shells_complete_the_same(prefix, shell, words, offered, not_offered):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    if shell == "zsh":
        script = ZSH.format(prefix=shlex.quote(str(prefix)), line=shlex.join(words))
    else:
        script = FISH.format(prefix=shlex.quote(str(prefix)), line=shlex.quote(" ".join(words)))
    done = call(program, "-f" if shell == "zsh" else "--no-config", "-c", script,
                env=bare_environment(PATH=f"{prefix}/bin:/usr/bin:/bin"))
    replies = {line.split("\t")[0] for line in done.stdout.splitlines()}
    assert offered <= replies, done
    assert not not_offered & replies, done


def test_every_command_and_option_is_offered(prefix):
    """The program's own help, read another way than the completion reads it."""
    usage = call(BUILT, "--help").stdout.split("commands:\n")[1].split("\n\n")[0]
    for command in [line.split()[0] for line in usage.splitlines()]:
        help_text = call(BUILT, command, "--help").stdout
        options = {word.rstrip(",") for line in help_text.splitlines() if line.startswith("  -")
                   for word in line.split()[0].split(",")}
        test_bash_completes_what_help_says(prefix, ["memlayers", command, "-"], options, set())


def test_installing_again_leaves_no_old_file_and_uninstalling_leaves_only_what_is_not_ours(prefix):
    stale = prefix / "share/memlayers/configs/stale.yaml"
    stale.write_text("x")
    listing = prefix / "share/memlayers/installed_files"
    listing.write_text(listing.read_text() + "share/memlayers/configs/stale.yaml\n")
    assert call(ROOT / "tools/install", prefix, "--as-built").returncode == 0
    assert not stale.exists()
    assert set(listing.read_text().split("\n")[:-1]) | {"share/theirs"} == {
        name for name in names(prefix) if not (prefix / name).is_dir() or (prefix / name).is_symlink()}
    done = call(ROOT / "tools/install", prefix, "--uninstall")
    assert done.returncode == 0, done.stderr
    assert names(prefix) == ["share", "share/theirs"]
    again = call(ROOT / "tools/install", prefix, "--uninstall")
    assert again.returncode == 1 and "there is no installation" in again.stderr


@pytest.mark.parametrize("arguments, reason", [
    ([], "expected the folder to install to"), (["/a", "/b"], "expected one PREFIX"),
    (["--no-such-flag"], "unknown argument")])
def test_wrong_calls_are_refused(arguments, reason):
    done = call(ROOT / "tools/install", *arguments)
    assert done.returncode == 2 and reason in done.stderr


def test_a_list_that_leads_out_of_the_prefix_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("x")
    (tmp_path / "p/share/memlayers").mkdir(parents=True)
    (tmp_path / "p/share/memlayers/installed_files").write_text("../precious\n")
    assert call(ROOT / "tools/install", tmp_path / "p", "--uninstall").returncode == 1
    assert (tmp_path / "precious").exists()
