"""tools/carry: one folder with which a machine without Debian's packages builds; checked by building against it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CMAKE = """\
cmake_minimum_required(VERSION 3.25)
project(carried CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(simdjson REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
find_path(ZSTD_INCLUDE zstd.h REQUIRED)
find_library(ZSTD zstd REQUIRED)
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
find_path(SENTENCEPIECE_INCLUDE sentencepiece_processor.h REQUIRED)
find_library(SENTENCEPIECE sentencepiece REQUIRED)
find_library(SENTENCEPIECE_TRAIN sentencepiece_train REQUIRED)
add_executable(uses_all uses_all.cpp)
target_include_directories(uses_all PRIVATE ${ZSTD_INCLUDE} ${XXHASH_INCLUDE} ${SENTENCEPIECE_INCLUDE})
target_link_libraries(uses_all PRIVATE yaml-cpp nlohmann_json::nlohmann_json simdjson::simdjson CLI11::CLI11 ZLIB::ZLIB
  ${ZSTD} ${SENTENCEPIECE_TRAIN} ${SENTENCEPIECE})
"""

PROGRAM = """\
#define XXH_INLINE_ALL
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <simdjson.h>
#include <xxhash.h>
#include <yaml-cpp/yaml.h>
#include <zlib.h>
#include <zstd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

int main() {
  CLI::App app;
  sentencepiece::SentencePieceProcessor processor;
  const bool untrained = !sentencepiece::SentencePieceTrainer::Train("--input=").ok() && !processor.status().ok();
  const bool all = YAML::Load("{a: 7}")["a"].as<int>() == 7 && nlohmann::json::parse("[7]")[0] == 7 &&
                   simdjson::validate_utf8("text", 4) && XXH64("", 0, 0) == 0xEF46DB3751D8E999 && untrained &&
                   crc32(0, nullptr, 0) == 0 && ZSTD_versionNumber() > 10000;
  return all ? 0 : 1;
}
"""


def call(*command, cwd=ROOT):
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False,
                          timeout=300, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    if shutil.which("dpkg-query") is None:
        pytest.skip("gathers Debian's packages")
    folder = tmp_path_factory.mktemp("carry") / "a folder"
    done = call(ROOT / "tools/carry", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_it_is_small_and_has_no_links(carried):
    files = [path for path in carried.rglob("*") if not path.is_dir()]
    assert not any(path.is_symlink() for path in files)
    assert sum(path.stat().st_size for path in files) < 30 << 20


def test_a_program_with_all_of_them_builds_and_runs_from_it(carried, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(CMAKE)
    (tmp_path / "uses_all.cpp").write_text(PROGRAM)
    build = tmp_path / "build"
    made = call("cmake", "-S", tmp_path, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={carried}")
    assert made.returncode == 0, made.stderr
    found = [line.split("=", 1)[1] for line in (build / "CMakeCache.txt").read_text().splitlines()
             if line.split(":")[0].removesuffix("_DIR") in
             ("yaml-cpp", "nlohmann_json", "simdjson", "CLI11", "ZSTD", "ZSTD_INCLUDE", "XXHASH_INCLUDE", "SENTENCEPIECE",
              "SENTENCEPIECE_INCLUDE", "SENTENCEPIECE_TRAIN", "ZLIB_INCLUDE", "ZLIB_LIBRARY_RELEASE")]
    assert len(found) == 12 and all(path.startswith(str(carried)) for path in found), found
    built = call("cmake", "--build", build)
    assert built.returncode == 0, built.stdout[-3000:]
    assert call(build / "uses_all").returncode == 0
    loaded = [line for line in call("ldd", build / "uses_all").stdout.splitlines() if "simdjson" in line or "sentencepiece" in line]
    assert len(loaded) == 3 and all(str(carried) in line for line in loaded), loaded


def test_it_fills_its_own_folder_again_and_no_other(carried, tmp_path):
    (carried / "stale").write_text("")
    again = call(ROOT / "tools/carry", carried)
    assert again.returncode == 0 and not (carried / "stale").exists()
    (tmp_path / "mine").write_text("mine")
    refused = call(ROOT / "tools/carry", tmp_path)
    assert refused.returncode == 1 and "name a new folder" in refused.stderr
    assert os.listdir(tmp_path) == ["mine"]


def test_its_list_is_that_of_setup(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    shutil.copy(ROOT / "tools/carry", tools)
    (tools / "setup").write_text((ROOT / "tools/setup").read_text().replace("libyaml-cpp-dev", "libyaml-cpp-dev libnew-dev"))
    refused = call(tools / "carry", tmp_path / "out")
    assert refused.returncode == 1 and "libnew-dev" in refused.stderr and not (tmp_path / "out").exists()


def test_without_a_folder_it_says_how_to_call_it():
    called = call(ROOT / "tools/carry")
    assert called.returncode == 2 and "usage: tools/carry FOLDER" in called.stderr
