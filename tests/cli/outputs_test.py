"""Where outputs go: links, devices, pipes, mount points, and a program started without its standard streams."""

import json
import os
import shutil
import stat
import subprocess

import pytest

from program import PROGRAM, refuse, run, succeed

TEXT = "".join(json.dumps({"text": f"The quiet harbor number {i} waits near the old tower."}) + "\n" for i in range(60))


def shell(script, cwd, *arguments, timeout=120):
    """Runs bash on `script`, where "$M" is the program."""
    return subprocess.run(["bash", "-c", script, "-", *map(str, arguments)], cwd=cwd, capture_output=True, text=True,
                          timeout=timeout, check=False, env={**os.environ, "M": PROGRAM, "OMP_NUM_THREADS": "1"})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "text.jsonl").write_text(TEXT)
    return tmp_path


def prepare(folder, output, *more):
    return run("prepare", "text.jsonl", "--output", output, "--tokenizer", "bytes", *more, cwd=folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "prepare.json"}


def plan_config(folder):
    (folder / "model.yaml").write_text(
        "hidden_size: 32\nnum_hidden_layers: 1\nnum_attention_heads: 2\nvocab_size: 100\n")
    return "model.yaml"


class TestStandardStreams:
    """Without 0, 1 or 2 the next file that is opened gets that number, and what is printed lands in it."""

    @pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
    def test_nothing_printed_reaches_prepared_data(self, folder, closed):
        assert prepare(folder, "good").code == 0
        done = shell(f'"$M" prepare text.jsonl --output bad --tokenizer bytes {closed}', folder)
        assert done.returncode == 0
        assert contents(folder / "bad") == contents(folder / "good")
        assert json.loads((folder / "bad/prepare.json").read_text())["train"]["tokens"] > 0

    @pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
    def test_nothing_printed_reaches_a_run(self, world, trained, closed):
        config, output = world.config("closed")
        done = shell(f'"$M" train --config "$1" {closed}', world.folder, config)
        assert done.returncode == 0
        for line in (output / "metrics.jsonl").read_text().splitlines():
            json.loads(line)
        ours, theirs = (sorted((run / "checkpoints").iterdir())[-1] for run in (output, trained))
        assert (ours / "model.safetensors").read_bytes() == (theirs / "model.safetensors").read_bytes()
        shutil.rmtree(output)

    @pytest.mark.parametrize("arguments", [["plan", "model.yaml"], ["plan", "model.yaml", "--json"], ["--version"],
                                           ["--help"]])
    @pytest.mark.parametrize("where", [">&-", ">/dev/full"])
    def test_results_that_cannot_be_printed_are_an_error(self, folder, arguments, where):
        plan_config(folder)
        done = shell(f'"$M" "$@" {where}', folder, *arguments)
        assert done.returncode == 1
        assert "standard output" in done.stderr and len(done.stderr.splitlines()) == 1

    @pytest.mark.parametrize("command", ["eval", "generate", "inspect", "capacity", "bench"])
    def test_what_could_not_be_printed_is_not_computed(self, command, tmp_path):
        done = shell(f'"$M" {command} nowhere >&-', tmp_path)
        assert done.returncode == 1 and "standard output is closed" in done.stderr

    def test_prompts_cannot_come_from_a_closed_input(self, trained):
        done = shell('"$M" generate "$1" <&-', trained, trained)
        assert done.returncode == 2 and "standard input is closed" in done.stderr


class TestLinks:
    def test_data_go_where_a_link_leads(self, folder):
        (folder / "disk").mkdir()
        for name, target in [("link", "disk"), ("dangling", "disk/deep/made"), ("chain", "link")]:
            (folder / name).symlink_to(target)
        for output, made in [("link", "disk"), ("link/", "disk"), ("chain", "disk"), ("dangling", "disk/deep/made")]:
            result = prepare(folder, output, "--force")
            assert result.code == 0, result
            assert (folder / output.rstrip("/")).is_symlink() and (folder / made / "prepare.json").exists()
        assert sorted(path.name for path in folder.iterdir()) == ["chain", "dangling", "disk", "link", "text.jsonl"]

    def test_a_run_goes_where_a_link_leads_and_overwriting_keeps_links(self, world, tmp_path):
        config, _ = world.config("linked", steps=10)
        (tmp_path / "run").symlink_to("disk/run")
        succeed("train", "--config", config, f"output={tmp_path}/run")
        assert (tmp_path / "run").is_symlink() and (tmp_path / "disk/run/metrics.jsonl").exists()
        shutil.move(tmp_path / "run/checkpoints", tmp_path / "elsewhere")
        (tmp_path / "run/checkpoints").symlink_to(tmp_path / "elsewhere")
        succeed("train", "--config", config, f"output={tmp_path}/run", "--overwrite")
        assert (tmp_path / "run/checkpoints").is_symlink() and list((tmp_path / "elsewhere").glob("step-*"))

    def test_a_page_goes_where_a_link_leads(self, trained, tmp_path):
        (tmp_path / "real.html").write_text("old")
        (tmp_path / "link.html").symlink_to("real.html")
        succeed("inspect", trained, "--tokens", "200", "-o", "link.html", cwd=tmp_path)
        assert (tmp_path / "link.html").is_symlink()
        assert (tmp_path / "real.html").read_text().startswith("<!")

    def test_a_circle_of_links_is_refused_before_any_work(self, world, folder, trained):
        (folder / "a").symlink_to("b")
        (folder / "b").symlink_to("a")
        config, _ = world.config("circle")
        for arguments in [["prepare", "text.jsonl", "--output", "a", "--tokenizer", "bytes"],
                          ["train", "--config", config, "output=a"], ["inspect", trained, "-o", "a"],
                          ["eval", trained, "--questions", world.data, "--output", "a"]]:
            assert "circle" in refuse(1, *arguments, cwd=folder), arguments
        assert (folder / "a").is_symlink() and (folder / "b").is_symlink()


class TestWhatIsNoFile:
    def test_devices_are_written_to_and_stay(self, world, trained):
        succeed("inspect", trained, "--tokens", "200", "-o", "/dev/null")
        succeed("eval", trained, "--questions", world.data, "--limit", "3", "--output", "/dev/null")
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
        assert "space" in refuse(1, "inspect", trained, "--tokens", "200", "-o", "/dev/full")

    def test_a_page_on_standard_output_does_not_overwrite_what_is_printed(self, trained, tmp_path):
        done = shell('"$M" inspect "$1" --tokens 200 -o /dev/stdout > all', tmp_path, trained)
        assert done.returncode == 0, done
        text = (tmp_path / "all").read_text()
        assert text.count("</html>") == 1 and "The page with charts: /dev/stdout" in text

    def test_a_pipe_gets_the_page(self, trained, tmp_path):
        done = shell('mkfifo pipe; cat pipe > page & "$M" inspect "$1" --tokens 200 -o pipe; status=$?; wait; '
                     'exit $status', tmp_path, trained)
        assert done.returncode == 0, done
        assert (tmp_path / "page").read_text().rstrip().endswith("</html>")
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)

    def test_a_pipe_without_a_reader_does_not_hold_the_program_when_it_is_told_to_end(self, trained, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        done = shell('timeout --preserve-status 20 "$M" inspect "$1" --tokens 200 -o pipe', tmp_path, trained,
                     timeout=60)
        assert done.returncode == 1 and "pipe" in done.stderr

    @pytest.mark.parametrize("output, reason", [
        (".", "is a folder"), ("folder", "is a folder"), ("folder/", "names a folder"),
        ("nowhere/page.html", "there is no folder"), ("file/page.html", "file")])
    def test_what_cannot_be_a_page_is_refused_before_the_model_is_read(self, tmp_path, output, reason):
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("old")
        said = refuse(1, "inspect", "no model at all", "-o", output, cwd=tmp_path)
        assert reason in said and output in said
        assert (tmp_path / "file").read_text() == "old"

    @pytest.mark.parametrize("output", ["/dev/null", "text.jsonl", "text.jsonl/under"])
    def test_what_cannot_be_a_folder_is_refused_before_any_work(self, world, folder, output):
        assert prepare(folder, output).code != 0
        config, _ = world.config("no_folder")
        assert output in refuse(1, "train", "--config", config, f"output={output}", cwd=folder)
        assert (folder / "text.jsonl").read_text() == TEXT and stat.S_ISCHR(os.stat("/dev/null").st_mode)

    def test_a_page_keeps_the_permissions_of_what_it_replaces(self, trained, tmp_path):
        page = tmp_path / "page.html"
        page.write_text("old")
        page.chmod(0o640)
        succeed("inspect", trained, "--tokens", "200", "-o", page)
        assert page.stat().st_mode & 0o777 == 0o640


class TestFoldersThatStay:
    @pytest.mark.parametrize("output", [".", "./", "../here"])
    def test_the_current_folder_is_filled(self, folder, output):
        here = folder / "here"
        here.mkdir()
        inode = here.stat().st_ino
        for _ in range(2):
            succeed("prepare", "../text.jsonl", "--output", output, "--tokenizer", "bytes", "--force", cwd=here)
            assert (here / "prepare.json").exists() and here.stat().st_ino == inode

    def test_a_mount_point_is_filled(self, folder):
        script = """
            mkdir mount && mount -t tmpfs none mount && mkdir mount/lost+found || exit 77
            "$M" prepare text.jsonl --output mount --tokenizer bytes &&
            "$M" prepare text.jsonl --output mount --tokenizer 300 --force &&
            ls -A mount && "$M" prepare text.jsonl --output mount --tokenizer 300 && mountpoint -q mount"""
        done = subprocess.run(["unshare", "-m", "bash", "-c", script], cwd=folder, capture_output=True, text=True,
                              check=False, timeout=120, env={**os.environ, "M": PROGRAM})
        if done.returncode == 77 or "unshare" in done.stderr:
            pytest.skip("this user cannot mount here")
        assert done.returncode == 0, done
        assert "lost+found\nprepare.json\n" in done.stdout and "already prepared" in done.stdout
        assert list((folder / "mount").iterdir()) == []
