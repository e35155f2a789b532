"""The page in a real browser: headless Chromium, driven by Selenium."""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from render.web.pages import HOSTILE, large_report

from nnea_graph import analyze
from nnea_graph.render.web.page import render_page
from nnea_graph.report.schema.analysis import Report

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MODELS = Path(__file__).parents[3] / "models"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM or not DRIVER, reason="chromium and chromedriver are not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    made.set_page_load_timeout(120)
    yield made
    made.quit()


@pytest.fixture(scope="module")
def report() -> Report:
    return analyze(MODELS / "digits_cnn.onnx")


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Callable[[Report], Any]:
    """Opens the page of a report and waits until its script has run."""

    def open_page(found: Report) -> Any:
        file = tmp_path / "report.html"
        file.write_text(render_page(found, "PASSED"), encoding="utf-8")
        browser.get_log("browser")
        browser.get_log("performance")
        browser.get(file.as_uri())
        wait(lambda: browser.execute_script("return document.documentElement.dataset.ready") == "yes")
        return browser

    return open_page


def wait(holds: Callable[[], object]) -> None:
    for _ in range(1200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("the page did not get there")


def count(page: Any, selector: str) -> int:
    return len(page.find_elements("css selector", selector))


def test_the_console_is_silent_and_no_request_leaves_the_page(
    report: Report, opened: Callable[[Report], Any]
) -> None:
    page = opened(report)
    page.find_element("id", "theme").click()
    assert page.get_log("browser") == []
    requests = [
        each["message"] for each in page.get_log("performance") if "requestWillBeSent" in each["message"]
    ]
    assert [each for each in requests if '"url":"file:' not in each and '"url":"data:' not in each] == []


def test_every_part_is_drawn(report: Report, opened: Callable[[Report], Any]) -> None:
    page = opened(report)
    assert count(page, "#shape .cell") > len(report.layers)
    assert count(page, "#roofline .dot") == sum(1 for node in report.nodes if node.macs)
    assert count(page, "#memory .area") == 1
    assert count(page, "#graph .box") == len(report.nodes)
    assert report.pathways is not None
    assert count(page, "#pathways-box li") == len(report.pathways.paths)
    assert count(page, "#layers-table tbody tr:not(.space)") == len(report.layers)


def test_modules_close_and_open_by_the_keyboard(report: Report, opened: Callable[[Report], Any]) -> None:
    page = opened(report)
    before = count(page, "#graph .box")
    frame = page.find_element("css selector", "#graph .frame[aria-label*='block']")
    frame.send_keys("\ue007")
    assert count(page, "#graph .box.closed") == 1
    page.find_element("css selector", "#graph .box.closed").send_keys("\ue007")
    assert count(page, "#graph .box") == before


def test_search_selects_an_operator_and_shows_its_facts(
    report: Report, opened: Callable[[Report], Any]
) -> None:
    page = opened(report)
    page.find_element("id", "find").send_keys("pointwise\ue007")
    facts = page.find_element("id", "facts").text
    assert "pointwise" in facts
    assert "65.5 K" in facts
    assert count(page, "#graph .box.selected") == 1


def test_a_pathway_is_marked_in_the_graph(report: Report, opened: Callable[[Report], Any]) -> None:
    page = opened(report)
    page.find_element("css selector", "#pathways-box li button").send_keys("\ue007")
    assert count(page, "#graph .box.marked") >= 4
    assert count(page, "#pathways-box .flow.marked") >= 4


def test_the_table_sorts_and_filters(report: Report, opened: Callable[[Report], Any]) -> None:
    page = opened(report)
    head = next(
        each for each in page.find_elements("css selector", "#layers-table th button") if each.text == "MACs"
    )
    head.send_keys("\ue007")
    first = page.find_element("css selector", "#layers-table tbody tr:not(.space)").text
    assert first.startswith(("block.conv1", "block.conv2"))
    page.find_element("css selector", "#layers-table input[type=search]").send_keys("depth")
    assert count(page, "#layers-table tbody tr:not(.space)") == 1


def test_the_theme_changes_and_the_page_prints(report: Report, opened: Callable[[Report], Any]) -> None:
    page = opened(report)
    back = "return getComputedStyle(document.body).backgroundColor"
    before = page.execute_script(back)
    page.find_element("id", "theme").click()
    assert page.execute_script(back) != before
    pdf = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")


@pytest.mark.parametrize("width", [360, 2560])
def test_no_width_makes_the_page_scroll_sideways(
    width: int, report: Report, opened: Callable[[Report], Any]
) -> None:
    page = opened(report)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.refresh()
        wait(lambda: page.execute_script("return document.documentElement.dataset.ready") == "yes")
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_names_of_a_stranger_stay_text_in_the_page(report: Report, opened: Callable[[Report], Any]) -> None:
    for name in HOSTILE:
        nodes = [replace(node, id=f"{name}{node.id}", scope=name) for node in report.nodes]
        layers = [replace(each, id=f"{name}{each.id}", scope=name) for each in report.layers]
        page = opened(replace(report, nodes=nodes, layers=layers, pathways=None, findings=[]))
        assert "owned" not in page.title
        assert count(page, "img") == 0
        assert [each for each in page.get_log("browser") if each["level"] == "SEVERE"] == []


def test_ten_thousand_operators_open_folded(opened: Callable[[Report], Any]) -> None:
    page = opened(large_report(10_000, 1_000))
    assert 0 < count(page, "#graph .box") < 200
    assert count(page, "#layers-table tbody tr:not(.space)") < 60
