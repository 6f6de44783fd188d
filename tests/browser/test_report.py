"""The report page in a real browser: charts are drawn, nothing is cut or overlaps, also on a telephone and in the dark.

MEMLAYERS_MAKE_REPORT names the program that writes the pages (make_report.cpp); MEMLAYERS_PROGRAM, where it is set,
memlayers itself.
"""

import base64
import html
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from png import Image, read_png  # noqa: E402

PAGES = ["three_seeds", "one_seed", "many_variants", "long_names", "sparse", "nothing_recalled", "inspection", "experiment"]
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report")
    subprocess.run([os.environ["MEMLAYERS_MAKE_REPORT"], str(path)], check=True)
    return path


def browse(folder: Path, page: Path, *arguments: str) -> str:
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
               f"--user-data-dir={folder / 'profile'}", *arguments, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def screenshot(folder: Path, name: str, dark: bool) -> Image:
    image = folder / f"{name}-{'dark' if dark else 'light'}.png"
    browse(folder, folder / f"{name}.html", f"--screenshot={image}", "--window-size=1100,2600",
           f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    return read_png(image)


def measured(folder: Path, name: str, width: int) -> dict:
    page = base64.b64encode((folder / f"{name}.html").read_bytes()).decode()
    frame = folder / f"measure-{name}-{width}.html"
    template = (Path(__file__).parent / "measure.html").read_text()
    frame.write_text(template.replace("@PAGE@", page).replace("@WIDTH@", str(width)))
    dump = browse(folder, frame, "--dump-dom", "--virtual-time-budget=10000")
    return json.loads(html.unescape(re.search(r"<pre>(.*)</pre>", dump, re.DOTALL).group(1)))


def variables(page: str, dark: bool) -> dict[str, tuple[int, int, int]]:
    """The style sheet's colors by name."""
    light_part, dark_part = page.split("prefers-color-scheme: dark", 1)
    part = dark_part[: dark_part.index("* {")] if dark else light_part
    return {name: tuple(int(value[i : i + 2], 16) for i in (0, 2, 4))
            for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{6})", part)}


def contrast(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
    """WCAG 2's contrast ratio."""
    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_well_formed_and_every_chart_has_its_table(folder, name):
    page = xml.parse(folder / f"{name}.html").getroot()
    space = {"h": "http://www.w3.org/1999/xhtml", "s": "http://www.w3.org/2000/svg"}
    figures = page.findall(".//h:figure", space)
    assert len(figures) == len(page.findall(".//s:svg", space)) > 0
    for figure in figures:
        assert figure.find("s:svg[@role='img']/s:title", space).text
        assert figure.find("s:svg/s:desc", space).text
        assert figure.findall("h:details//h:table/h:tbody/h:tr", space)
        for row in figure.findall(".//h:tbody/h:tr", space):
            assert row.find("h:th[@scope='row']", space) is not None


@pytest.mark.parametrize("dark", [False, True])
def test_every_color_can_be_told_from_its_ground(folder, dark):
    colors = variables((folder / "three_seeds.html").read_text(), dark)
    for ground in ("page", "card"):
        assert contrast(colors["ink"], colors[ground]) >= 7
        assert contrast(colors["muted"], colors[ground]) >= 4.5
        assert contrast(colors["accent"], colors[ground]) >= 4.5
    for i in range(8):
        assert contrast(colors[f"series-{i}"], colors["card"]) >= 3, i


@needs_browser
def test_charts_are_drawn_in_light_and_in_dark(folder):
    page = (folder / "three_seeds.html").read_text()
    corners = []
    for dark in (False, True):
        colors, image = variables(page, dark), screenshot(folder, "three_seeds", dark)
        corners.append(image.pixel(1, 1))
        assert image.pixel(1, 1) == colors["page"]
        assert image.count(colors["card"]) > 0.2 * image.width * image.height
        for series in ("series-0", "series-1"):
            assert image.count(colors[series], 4) > 5000, f"{series}, dark: {dark}"
    assert corners[0] != corners[1]
    assert sum(corners[0]) > 600 > 150 > sum(corners[1])


@needs_browser
@pytest.mark.parametrize("width", [400, 1100])
@pytest.mark.parametrize("name", [*PAGES, "index"])
def test_nothing_is_cut_or_overlaps(folder, name, width):
    found = measured(folder, name, width)
    assert found["charts"] > 0 or name == "index"
    assert found["window"] == width
    assert found["outside"] == []
    assert found["content"] <= width
    assert found["cut"] == []
    assert found["overlapping"] == []
    assert found["covered"] == []
    assert name == "index" or found["smallest_text"] >= 10  # of charts


@pytest.mark.skipif("MEMLAYERS_PROGRAM" not in os.environ, reason="memlayers itself was not built")
class TestCommand:
    def run(self, *arguments):
        return subprocess.run([os.environ["MEMLAYERS_PROGRAM"], "report", *map(str, arguments)], capture_output=True, text=True)

    def test_prints_the_table_and_writes_the_page_beside_the_results(self, folder, tmp_path):
        shutil.copy(folder / "three_seeds.json", tmp_path / "results.json")
        done = self.run(tmp_path / "results.json")
        assert done.returncode == 0, done.stderr
        assert "Memory+ leads Dense by 23.0 points" in done.stdout
        assert (tmp_path / "report.html").read_bytes() == (folder / "three_seeds.html").read_bytes()

    def test_writes_the_page_where_it_is_told_to(self, folder, tmp_path):
        done = self.run(folder / "one_seed.json", "--output", tmp_path / "page.html")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "page.html").exists()

    def test_refuses_what_it_cannot_read_in_one_line(self, folder, tmp_path):
        missing = self.run(tmp_path / "none.json")
        assert missing.returncode == 1 and "none.json" in missing.stderr and missing.stderr.count("\n") == 1
        (tmp_path / "odd.json").write_text('{"titel": "x"}')
        odd = self.run(tmp_path / "odd.json")
        assert odd.returncode == 2 and "title" in odd.stderr and odd.stderr.count("\n") == 1
