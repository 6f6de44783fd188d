"""tools/check_tree.py catches each violation in a small tree made for it, and accepts the tree without one."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "check_tree.py"
specification = importlib.util.spec_from_file_location("check_tree", SCRIPT)
check_tree = importlib.util.module_from_spec(specification)
specification.loader.exec_module(check_tree)

CLEAN = {
    "README.md": "The tree:\n\n    src/base/  errors\n    src/ops/  kernels\n    src/data/  shards\n\n"
                 "[map](docs/architecture.md)\n",
    "docs/architecture.md": "Back to the [README](../README.md#tree).\n",
    "src/base/error.h": "#pragma once\n#include <string>\n",
    "src/base/CMakeLists.txt": "memlayers_library(base SOURCES error.cpp)\n",
    "src/base/error.cpp": '#include "base/error.h"\n',
    "src/data/shard.h": '#pragma once\n#include "base/error.h"\n',
    "src/ops/CMakeLists.txt": "memlayers_library(ops SHARED SOURCES bag/bag.cpp DEPS memlayers_base)\n",
    "src/ops/bag/bag.h": "#pragma once\n#include <ATen/core/Tensor.h>\n",
    "src/ops/bag/bag.cpp": '#include "base/error.h"\n#include "ops/bag/bag.h"\n',
    "src/ops/bag/bag_kernel.h": "#pragma once\n#include <cstdint>\n",
    "tests/base/CMakeLists.txt": "memlayers_test(base_test SOURCES error_test.cpp)\n",
    "tests/base/error_test.cpp": '#include "base/error.h"\n',
}


def write_tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def found_in(root: Path) -> list[str]:
    return [f"{violation.path}:{violation.line}: {violation.message}" for violation in check_tree.violations(root)]


def test_accepts_a_tree_without_violations(tmp_path):
    assert found_in(write_tree(tmp_path, CLEAN)) == []


CUDA_CONDITION = "#ifdef __CUDACC__\n#endif\n"
UNFINISHED_MARK = "// TO" + "DO later\n"
HOME = "/ho" + "me/ada/model"

IN_BASE = "namespace memlayers::base {{\n{}}}  // namespace memlayers::base\n"
BRITISH = ["initiali" + "sation", "token" + "ised", "kCol" + "ours", "behavi" + "our", "neighb" + "ours",
           "cent" + "red", "label" + "led", "licen" + "ce", "gr" + "ey", "analy" + "sing", "Normali" + "se"]

VIOLATIONS = [
    ("two types of one name",
     {"src/base/error.h": "#pragma once\n" + IN_BASE.format("class Error;\nstruct Place {\n};\n"),
      "src/base/error.cpp": IN_BASE.format("class Place : Error {\n};\n")},
     "src/base/error.h:4: memlayers::base::Place is another type in src/base/error.cpp"),
    ("an include of a higher floor", {"src/base/error.cpp": '#include "ops/bag/bag.h"\n'},
     "src/base/error.cpp:1: base must not include ops"),
    ("an include between neighbors", {"src/data/shard.h": '#pragma once\n#include "ops/bag/bag.h"\n'},
     "src/data/shard.h:2: data must not include ops"),
    ("an include that is no path under src", {"src/base/error.cpp": '#include "error.h"\n'},
     'src/base/error.cpp:1: "error.h" is not a path under src'),
    ("a link to a higher floor", {"src/base/CMakeLists.txt": "# error.cpp\nmemlayers_library(base SOURCES error.cpp\n"
                                                             "  DEPS memlayers_ops)\n"},
     "src/base/CMakeLists.txt:3: base must not link ops"),
    ("a floor that no table knows", {"src/utils/all.h": "#pragma once\n"}, "src/utils is not in the table of floors"),
    ("torch in data", {"src/data/shard.h": "#pragma once\n#include <ATen/core/Tensor.h>\n"},
     "src/data/shard.h:2: src/data is free of torch"),
    ("the header of everything", {"src/ops/bag/bag.cpp": "#include <torch/torch.h>\n"},
     "src/ops/bag/bag.cpp:1: <torch/torch.h> costs too much"),
    ("the header of everything in a test", {"tests/base/error_test.cpp": "#include <torch/nn/module.h>\n"},
     "tests/base/error_test.cpp:1: <torch/nn/module.h> costs too much"),
    ("torch in a kernel", {"src/ops/bag/bag_kernel.h": "#pragma once\n#include <ATen/ATen.h>\n"},
     "src/ops/bag/bag_kernel.h:2: a kernel includes no torch header"),
    ("torch in a kernel through a header of ours",
     {"src/ops/bag/bag_kernel.h": '#pragma once\n#include "ops/bag/bag.h"\n'},
     "src/ops/bag/bag_kernel.h:1: a kernel includes no torch header, and this reaches <ATen/core/Tensor.h> "
     "(through src/ops/bag/bag.h)"),
    ("a file of 451 lines", {"src/base/error.cpp": "\n" * 451}, "src/base/error.cpp:451: 451 lines; 450 is the most"),
    ("a test of 801 lines", {"tests/base/error_test.cpp": "\n" * 801},
     "tests/base/error_test.cpp:801: 801 lines; 800 is the most"),
    ("a folder of 41 files", {f"src/data/notes/{i}.h": "#pragma once\n" for i in range(41)},
     "src/data/notes:1: 41 files; 40 is the most"),
    ("a line of 121 columns", {"src/base/error.cpp": "\n// " + "x" * 118 + "\n"},
     "src/base/error.cpp:2: 121 columns; 120 is the most"),
    ("a paragraph that nobody wrapped", {"docs/architecture.md": "word " * 27}, "docs/architecture.md:1: 135 columns"),
    ("a long line of a configuration", {"configs/a.yaml": "#" * 131}, "configs/a.yaml:1: 131 columns; 130 is the most"),
    *[(f"the British word {word}", {"docs/architecture.md": f"It is {word}.\n"},
       f"docs/architecture.md:1: American spelling, please: {word}") for word in BRITISH],
    ("a British word in a source", {"src/base/error.cpp": f"int {BRITISH[2]} = 0;\n"}, "please: kCol"),
    ("a page that is not there", {"src/base/error.cpp": "// as paper" + ".md says\n"},
     "src/base/error.cpp:1: names paper.md, which is not in the repository"),
    ("a design that is not there", {"src/base/error.cpp": "int i;  // DESI" + "GN section 3\n"},
     "src/base/error.cpp:1: names DESI" + "GN, which is not in the repository"),
    ("a header without a guard", {"src/base/error.h": "#include <string>\n"},
     "src/base/error.h:1: a header has #pragma once"),
    ("a condition on the build above the ops", {"src/data/shard.h": "#pragma once\n" + CUDA_CONDITION},
     "src/data/shard.h:2: what the build has is asked in ops only"),
    ("one file name in two ops", {"src/ops/other/bag_kernel.h": "#pragma once\n"},
     "src/ops/other/bag_kernel.h:1: an op's file names are unique"),
    ("a mark of unfinished work", {"src/base/error.cpp": UNFINISHED_MARK}, "src/base/error.cpp:1: marked unfinished"),
    ("a path of somebody's home", {"docs/architecture.md": f"It is in {HOME}.\n"},
     "docs/architecture.md:1: names a path of one machine"),
    ("a link that leads nowhere", {"docs/architecture.md": "\n[x](nothing.md)\n"},
     "docs/architecture.md:2: the link to nothing.md leads nowhere"),
    ("a test that nothing runs", {"tests/base/file_test.cpp": "\n"},
     "tests/base/file_test.cpp:1: is not named in a CMakeLists.txt"),
    ("a Python test that nothing runs", {"tests/cli/help_test.py": "\n"},
     "tests/cli/help_test.py:1: is not named in a CMakeLists.txt"),
    ("a source that nothing builds", {"src/ops/bag/bag_avx2.cpp": "\n"},
     "src/ops/bag/bag_avx2.cpp:1: is not named in a CMakeLists.txt"),
    ("a folder that README does not name", {"src/layers/norm.h": "#pragma once\n"},
     "README.md:1: the tree in README.md does not name src/layers/"),
]


@pytest.mark.parametrize("changed, message", [case[1:] for case in VIOLATIONS], ids=[case[0] for case in VIOLATIONS])
def test_catches(tmp_path, changed, message):
    found = found_in(write_tree(tmp_path, CLEAN | changed))
    assert len(found) >= 1
    assert any(message in line for line in found), found


def test_types_of_unnamed_namespaces_are_their_files_own(tmp_path):
    own = IN_BASE.format("namespace {\nstruct Place {\n};\n}  // namespace\n")
    other = own.replace("memlayers::base", "memlayers::ops")
    changed = {"src/base/error.cpp": own, "src/ops/bag/bag.cpp": own,
               "src/ops/bag/bag_kernel.h": "#pragma once\n" + other}
    assert found_in(write_tree(tmp_path, CLEAN | changed)) == []


def test_leaves_tables_dated_results_and_lists_of_experiments_as_long_as_they_are(tmp_path):
    changed = {"docs/architecture.md": "| " + "x" * 140 + " |\n",
               "docs/results/2026-11-26-kinds.md": "fav" + "our " * 40,
               "experiments/kinds.yaml": "# " + "x" * 140 + "\n"}
    assert found_in(write_tree(tmp_path, CLEAN | changed)) == []


def test_takes_words_that_only_look_british(tmp_path):
    words = "four hours; analyses; percentReduced; concentrate; specialist; premise; organism; aria-labelledby"
    assert found_in(write_tree(tmp_path, CLEAN | {"docs/architecture.md": words + "\n"})) == []


def test_comments_name_pages_of_the_repository(tmp_path):
    changed = {"src/base/error.cpp": "// docs/architecture.md says why; results.md is written\n"}
    assert found_in(write_tree(tmp_path, CLEAN | changed)) == []


def test_a_comment_does_not_register_a_source(tmp_path):
    changed = {"src/base/CMakeLists.txt": "memlayers_library(base SOURCES) # error.cpp\n"}
    assert found_in(write_tree(tmp_path, CLEAN | changed)) == [
        "src/base/error.cpp:1: is not named in a CMakeLists.txt, so it is neither built nor run"]


def test_leaves_out_what_a_build_or_a_run_wrote(tmp_path):
    written = {"build/release/x.cpp": "#include <torch/torch.h>\n", "runs/a/notes.md": "[x](gone.md)\n"}
    assert found_in(write_tree(tmp_path, CLEAN | written)) == []


def test_prints_each_violation_and_exits_1(tmp_path):
    root = write_tree(tmp_path, CLEAN | {"src/base/error.h": "\n"})
    result = subprocess.run([sys.executable, SCRIPT, "--root", root], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout.splitlines() == ["src/base/error.h:1: a header has #pragma once", "check_tree: 1 violation"]


def test_exits_0_without_violations(tmp_path):
    result = subprocess.run([sys.executable, SCRIPT, "--root", write_tree(tmp_path, CLEAN)], capture_output=True,
                            text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "check_tree: 0 violations\n")
