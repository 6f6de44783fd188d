"""tools/gains.py finds what memlayers experiment found: mean and interval of criteria that are in docs/results."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"


def run(*arguments):
    return subprocess.run([sys.executable, ROOT / "tools" / "gains.py", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.parametrize("name,criterion,metric,pair,options", [
    ("fixed_memory", "small: dense < Memory+ (nats per answer)", "nats", "memory_plus-small:dense-small", []),
    ("fixed_memory", "large: Memory+ beats MoE, expert choice (recall)", "recall", "memory_plus-large:moe-large", ["--higher"]),
    ("equal_time", "in the same seconds Memory+ recalls more than PEER", "recall", "memory_plus:peer", ["--higher"]),
])
def test_it_agrees_with_the_criteria_of_the_results(name, criterion, metric, pair, options):
    done = run(RESULTS / f"2026-11-26-{name}.csv", metric, pair, *options)
    assert done.returncode == 0, done.stderr
    (stated,) = [c for c in json.loads((RESULTS / f"2026-11-26-{name}-criteria.json").read_text()) if c["name"] == criterion]
    mean, low, high = map(float, re.search(r"\| (\S+) \| (\S+) to (\S+) \|", done.stdout.splitlines()[-1]).groups())
    assert mean == pytest.approx(stated["value"], abs=6e-4)
    assert [low, high] == pytest.approx(stated["interval"], abs=6e-4)


def test_it_refuses_what_is_not_there_in_one_line(tmp_path):
    (tmp_path / "one.csv").write_text("variant,seed,metric,value\na,1,nats,2\nb,1,nats,1\n")
    for arguments, words in [((tmp_path / "none.csv", "nats", "a:b"), "none.csv"), ((tmp_path / "one.csv", "nats", "a:c"), "a, b"),
                             ((tmp_path / "one.csv", "nats", "b:a"), "2 to 10 seeds"), ((tmp_path / "one.csv", "f1", "b:a"), "no variants")]:
        done = run(*arguments)
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1, done.stderr
