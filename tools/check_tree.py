#!/usr/bin/env python3
"""Checks the rules of the source tree that no compiler checks: which floor may include which, what torch may cost,
how long files and lines get, how words are spelled, and that nothing is left unregistered or pointing nowhere.
docs/architecture.md gives the reasons.

    tools/check_tree.py [--root FOLDER]

Prints one line a violation (path:line: what is wrong) and exits 1 if there is any.
"""

import argparse
import collections
import os
import re
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

# Folder -> folders it may include, besides itself. Nothing here may include a folder above it.
ALLOWED = {
    "base": set(),
    "ops": {"base"},
    "text": {"base"},
    "results": {"base"},
    "layers": {"base", "ops"},
    "data": {"base", "text"},
    "report": {"base", "results"},
    "model": {"base", "ops", "layers"},
    "distributed": {"base", "ops", "layers"},
    "generation": {"base", "ops", "text", "layers", "model"},
    "planning": {"base", "ops", "layers", "model"},
    "training": {"base", "ops", "text", "results", "layers", "data", "model", "distributed", "planning"},
    "profiling": {"base", "ops", "text", "results", "layers", "data", "model", "distributed", "training"},
    "evaluation": {"base", "ops", "text", "results", "layers", "data", "model", "distributed", "generation"},
    "serving": {"base", "ops", "text", "layers", "model", "generation"},
    "experiments": {"base", "ops", "text", "results", "layers", "data", "report", "model", "distributed", "training",
                    "generation", "planning", "profiling", "evaluation"},
    "editing": {"base", "ops", "text", "layers", "data", "model", "distributed", "training", "generation",
                "evaluation"},
    "bench": {"base", "ops", "text", "results", "layers", "data", "model", "distributed", "training", "generation",
              "planning", "profiling"},
}
ALLOWED["cli"] = set(ALLOWED)
TORCH_FREE_FLOORS = {"base", "text", "data", "results", "report"}
TORCH_HEADER = re.compile(r"^(ATen|c10|torch|caffe2)/")
# These cost half a minute a file, or drag in what does.
HEAVY_HEADER = re.compile(r"^torch/(torch|all|extension|nn|data|optim|serialize)(\.h|/)")
# A condition on what the build has belongs below the dispatcher: in ops, and in base where the processor is asked.
BUILD_CONDITION = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*\b(\w*CUDA\w*|__AVX\w*|__SSE\w*|__FMA__)")
BUILD_CONDITION_FLOORS = {"base", "ops"}
GENERATED_HEADERS = {"memlayers_build.h"}  # written by cmake/build_info.cmake

MAX_LINES = {"src": 450, "tests": 800, "tools": 800, "cmake": 800}
MAX_FILES = 40  # of a folder of src
MAX_COLUMNS = {".h": 120, ".cpp": 120, ".cu": 120, ".cuh": 120, ".md": 130, ".yaml": 130}
CPP_SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}
SOURCE_SUFFIXES = CPP_SUFFIXES | {".py", ".cmake", ".sh"}
SPELLED_SUFFIXES = SOURCE_SUFFIXES | {".md", ".yaml", ".txt", ""}
TEXT_SUFFIXES = SOURCE_SUFFIXES | {".md", ".yaml", ".json", ".txt", ""}
SKIPPED_FOLDERS = {".git", "build", "__pycache__", ".pytest_cache", "node_modules"}
SKIPPED_AT_TOP = {"runs", "data", "shared"}

NAMESPACE = re.compile(r"^(?:inline )?namespace ?([\w:]*) ?\{$")
END_OF_NAMESPACE = re.compile(r"^\}  // namespace")
TYPE = re.compile(r"^(?:struct|enum class|enum|class|union) (?:alignas\(\w+\) )?(\w+)(?![\w<:])(?!\s*;)")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
# Spelled in pieces, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
HOME_PATH = re.compile(r"(?<![\w.$}~])/(" + "|".join(["ho" + "me", "Us" + "ers", "ro" + "ot"]) + r")/\w")
# The letters of British words after these stems, apart so that this file does not hold what it looks for.
IZE_STEMS = """author capital categor central character critic emphas final general initial local material maxim memor
minim normal optim organ parallel penal priorit quant random real recogn serial special stabil standard summar symbol
synchron token util vector""".split()
OR_STEMS = "behavi col fav flav hon lab neighb rig vap".split()
L_STEMS = "cancel label model signal travel".split()
BRITISH = re.compile("|".join([
    rf"\w*(?:{'|'.join(IZE_STEMS)})is(?:e|ed|es|er|ers|ing|ation|ations|able)(?![a-z])",
    rf"\w*(?:{'|'.join(OR_STEMS)})ou" + r"r\w*", rf"\w*(?:{'|'.join(L_STEMS)})l(?:ed|ing)(?![a-z])",
    r"\w*cent(?:re|red|ring)(?![a-z])", r"\blicen" + r"ce\b", r"\bcatalo" + r"gue\b",
    r"\banaly" + r"s(?:e|ed|ing|er)\b", r"\bgr" + r"ey\b", r"\b(?:whil|among)" + r"st\b", r"\bart" + r"efacts?\b",
    r"\bjudg" + r"ements?\b", r"\bdefen" + r"ce\b", r"\b(?:mis)?spel" + r"t\b", r"\blearn" + r"t\b"]), re.IGNORECASE)
PAGE = re.compile(r"\b(\w+\.md|DESI" + r"GN)\b")
WRITTEN_PAGES = {"results.md"}  # by `memlayers experiment`
DATED_RESULT = re.compile(r"docs/results/\d")  # not edited afterwards
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Violation(NamedTuple):
    path: Path
    line: int
    message: str


class Tree:
    """The files of a source tree, read once; paths are relative to its root."""

    def __init__(self, root: Path):
        self.root = root
        self.files: list[Path] = []
        for folder, subfolders, names in os.walk(root):
            at_top = Path(folder) == root
            subfolders[:] = sorted(
                name for name in subfolders
                if name not in SKIPPED_FOLDERS and not (at_top and name in SKIPPED_AT_TOP))
            self.files += [(Path(folder) / name).relative_to(root) for name in sorted(names)]
        self._lines: dict[Path, list[str]] = {}

    def lines(self, path: Path) -> list[str]:
        if path not in self._lines:
            self._lines[path] = (self.root / path).read_text(encoding="utf-8", errors="replace").splitlines()
        return self._lines[path]

    def exists(self, path: Path) -> bool:
        return (self.root / path).exists()

    def under(self, folder: str, suffixes: set[str]) -> list[Path]:
        return [path for path in self.files if path.parts[0] == folder and path.suffix in suffixes]

    def includes(self, path: Path) -> Iterator[tuple[int, str, bool]]:
        """(line, header, whether quoted) of every include of a file."""
        for number, line in enumerate(self.lines(path), 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found.group(1) or found.group(2), found.group(1) is not None


def check_floors(tree: Tree) -> Iterator[Violation]:
    """src/X includes only X and the floors under it, and links only their targets."""
    for path in tree.under("src", CPP_SUFFIXES):
        floor = path.parts[1]
        if floor not in ALLOWED:
            yield Violation(path, 1, f"src/{floor} is not in the table of floors (tools/check_tree.py)")
            continue
        for number, header, quoted in tree.includes(path):
            if not quoted or header in GENERATED_HEADERS:
                continue
            target = header.split("/")[0]
            if not tree.exists(Path("src") / header):
                yield Violation(path, number, f'"{header}" is not a path under src (write "folder/name.h")')
            elif target != floor and target not in ALLOWED[floor]:
                yield Violation(path, number, f"{floor} must not include {target} (allowed: {names(ALLOWED[floor])})")
    for path in tree.files:
        if path.parts[0] != "src" or path.name != "CMakeLists.txt" or len(path.parts) < 3:
            continue
        floor = path.parts[1]
        for number, line in enumerate(tree.lines(path), 1):
            for target in re.findall(r"\bmemlayers_(\w+)", line.split("#")[0]):
                if target in ALLOWED and target != floor and target not in ALLOWED.get(floor, set()):
                    yield Violation(path, number, f"{floor} must not link {target}")


def check_torch(tree: Tree) -> Iterator[Violation]:
    """base and data are free of torch, kernels too, and nobody includes the headers that cost half a minute."""
    for path in tree.under("src", CPP_SUFFIXES) + tree.under("tests", CPP_SUFFIXES):
        in_torch_free_floor = path.parts[0] == "src" and path.parts[1] in TORCH_FREE_FLOORS
        for number, header, _ in tree.includes(path):
            if HEAVY_HEADER.match(header):
                yield Violation(path, number, f"<{header}> costs too much; include the specific ATen or c10 header")
            elif in_torch_free_floor and TORCH_HEADER.match(header):
                yield Violation(path, number, f"src/{path.parts[1]} is free of torch, and <{header}> is torch's")
    for path in tree.under("src", CPP_SUFFIXES):
        if "_kernel" in path.name or path.suffix in {".cu", ".cuh"}:
            yield from torch_reached_from(tree, path)


def torch_reached_from(tree: Tree, kernel: Path) -> Iterator[Violation]:
    """Torch headers that a kernel file includes, through whatever headers of ours."""
    seen, waiting = {kernel}, [kernel]
    while waiting:
        path = waiting.pop()
        for number, header, quoted in tree.includes(path):
            if TORCH_HEADER.match(header):
                through = "" if path == kernel else f" (through {path})"
                yield Violation(kernel, number if path == kernel else 1,
                                f"a kernel includes no torch header, and this reaches <{header}>{through}")
            below = Path("src") / header
            if quoted and below not in seen and tree.exists(below):
                seen.add(below)
                waiting.append(below)


def check_files(tree: Tree) -> Iterator[Violation]:
    """Length, guards, conditions on the build, unique names among the ops, files of a folder."""
    op_files: dict[str, Path] = {}
    for path in tree.files:
        if path.suffix in SOURCE_SUFFIXES and path.parts[0] in MAX_LINES:
            most = MAX_LINES[path.parts[0]]
            if len(tree.lines(path)) > most:
                yield Violation(path, most + 1, f"{len(tree.lines(path))} lines; {most} is the most")
        if path.suffix in {".h", ".cuh"} and "#pragma once" not in tree.lines(path):
            yield Violation(path, 1, "a header has #pragma once")
    for path in tree.under("src", CPP_SUFFIXES):
        if path.parts[1] not in BUILD_CONDITION_FLOORS:
            for number, line in enumerate(tree.lines(path), 1):
                if BUILD_CONDITION.match(line):
                    yield Violation(path, number, "what the build has is asked in ops only, by registration")
        if path.parts[1] == "ops":
            if path.name in op_files:
                yield Violation(path, 1, f"an op's file names are unique, and {op_files[path.name]} has this one")
            op_files.setdefault(path.name, path)
    in_folder = collections.Counter(path.parent for path in tree.files if path.parts[0] == "src")
    for folder, count in in_folder.items():
        if count > MAX_FILES:
            yield Violation(folder, 1, f"{count} files; {MAX_FILES} is the most: some are a folder of their own")


def check_types(tree: Tree) -> Iterator[Violation]:
    """A name is one type in a namespace. Where it is two, the linker takes one's functions for the other's."""
    known: dict[str, Path] = {}
    for path in tree.under("src", CPP_SUFFIXES):
        spaces: list[str] = []
        opened = 0
        for number, line in enumerate(tree.lines(path), 1):
            if found := NAMESPACE.match(line):
                spaces.append(found.group(1))
                opened = number
            elif spaces and (END_OF_NAMESPACE.match(line) or (line == "}" and number == opened + 2)):  # of one line
                spaces.pop()
            elif (found := TYPE.match(line)) and all(spaces):  # an unnamed namespace is the file's own
                name = "::".join([*spaces, found.group(1)])
                if known.setdefault(name, path) != path:
                    yield Violation(path, number, f"{name} is another type in {known[name]}")


def check_text(tree: Tree) -> Iterator[Violation]:
    """Nothing marked unfinished, no path of somebody's home, no link that leads nowhere."""
    for path in tree.files:
        if path.suffix not in TEXT_SUFFIXES or path.name == "LICENSE":
            continue
        for number, line in enumerate(tree.lines(path), 1):
            if UNFINISHED.search(line):
                yield Violation(path, number, "marked unfinished: do it, or write an issue")
            if HOME_PATH.search(line):
                yield Violation(path, number, "names a path of one machine")
        if path.suffix == ".md":
            yield from broken_links(tree, path)


def check_columns(tree: Tree) -> Iterator[Violation]:
    """Lines fit a screen. Excepted is what cannot be broken or is not edited: tables of Markdown, dated results, and
    experiments, whose variants and criteria are one a line."""
    for path in tree.files:
        most = MAX_COLUMNS.get(path.suffix)
        if most is None or DATED_RESULT.match(str(path)) or (path.suffix == ".yaml" and "experiments" in path.parts):
            continue
        for number, line in enumerate(tree.lines(path), 1):
            if len(line) > most and not (path.suffix == ".md" and line.lstrip().startswith("|")):
                yield Violation(path, number, f"{len(line)} columns; {most} is the most")


def check_words(tree: Tree) -> Iterator[Violation]:
    """American spelling everywhere but in dated results; comments of C++ name no page that is not in the tree."""
    pages = {path.name for path in tree.files if path.suffix == ".md"} | WRITTEN_PAGES
    for path in tree.files:
        if path.suffix not in SPELLED_SUFFIXES or path.name == "LICENSE" or DATED_RESULT.match(str(path)):
            continue
        for number, line in enumerate(tree.lines(path), 1):
            if found := BRITISH.search(line):
                yield Violation(path, number, f"American spelling, please: {found.group()}")
            comment = line.partition("//")[2] if path.suffix in CPP_SUFFIXES else ""
            for page in PAGE.findall(comment):
                if page not in pages:
                    yield Violation(path, number, f"names {page}, which is not in the repository")


def broken_links(tree: Tree, path: Path) -> Iterator[Violation]:
    for number, line in enumerate(tree.lines(path), 1):
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target) or target.startswith("#"):
                continue
            if not tree.exists(path.parent / target.split("#")[0]):
                yield Violation(path, number, f"the link to {target} leads nowhere")


def check_registered(tree: Tree) -> Iterator[Violation]:
    """Every source and every test is named in a CMakeLists.txt; every folder of src is in README's tree."""
    for path in tree.under("src", {".cpp"}) + tree.under("tests", {".cpp", ".py"}):
        if path.suffix == ".py" and not (path.name.startswith("test_") or path.name.endswith("_test.py")):
            continue
        if not is_registered(tree, path):
            yield Violation(path, 1, "is not named in a CMakeLists.txt, so it is neither built nor run")
    readme = Path("README.md")
    text = "\n".join(tree.lines(readme)) if tree.exists(readme) else ""
    for folder in sorted({path.parts[1] for path in tree.under("src", CPP_SUFFIXES)}):
        if not re.search(rf"\b{folder}/", text):
            yield Violation(readme, 1, f"the tree in README.md does not name src/{folder}/")


def is_registered(tree: Tree, path: Path) -> bool:
    """Named in the CMakeLists.txt of its folder or of one above it, by its path from there."""
    for folder in path.parents:
        lists = folder / "CMakeLists.txt"
        if folder == Path(".") or not tree.exists(lists):
            continue
        name = re.escape(str(path.relative_to(folder)))
        if any(re.search(rf"(?<![\w./]){name}(?![\w.])", line.split("#")[0]) for line in tree.lines(lists)):
            return True
    return False


def names(values: set[str]) -> str:
    return ", ".join(sorted(values)) or "nothing"


CHECKS = [check_floors, check_torch, check_files, check_types, check_text, check_columns, check_words, check_registered]


def violations(root: Path) -> list[Violation]:
    tree = Tree(root)
    return [violation for check in CHECKS for violation in check(tree)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks the rules of the source tree.")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help="the tree to check")
    found = violations(parser.parse_args().root.resolve())
    for violation in found:
        print(f"{violation.path}:{violation.line}: {violation.message}")
    print(f"check_tree: {len(found)} violation{'' if len(found) == 1 else 's'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
