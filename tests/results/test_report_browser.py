"""The page in a real browser, where there is one: Chromium, driven by playwright."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from sklearn_transrate.results import TransferResults

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
NAMES = ["vit / a", "Bert", "vit / b", "broken", "resnet50"]
# WCAG 2.2, level AA, for text.
LEAST_CONTRAST = 4.5
CONTRASTS = """() => {
  const canvas = document.createElement("canvas")
    .getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => rgb(colour).slice(0, 3)
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (rgb(colour)[3] > 0) return colour;
    }
    return "white";
  };
  const texts = [...document.querySelectorAll("main *")].filter((element) =>
    [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  return texts.map((element) => {
    const pair = [light(getComputedStyle(element).color), light(paper(element))];
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  });
}"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "results.html"
    TransferResults(
        {
            "candidate": NAMES,
            "score_logme": [0.1, 0.3, -2.0, None, 0.2],
            "n_features": [1000, 64, None, 9, 128],
            "transform_time": [75.0, 0.5, None, None, 0.002],
            "error": ["", "", "", "RuntimeError: no weights", ""],
        },
        metadata={"versions": {"sklearn": "1.9.1"}, "data": {"fingerprint": "0a1b"}},
    ).to_html(path)
    return path


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with api.sync_playwright() as playwright:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox"] if root else []
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, page_file):
    """Open the page with some options; nothing may be asked for or complained of."""
    contexts, noise = [], []

    def opened(**options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", lambda request: noise.append(request.url[:200]))
        page.goto(page_file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    allowed = re.compile(r"data:|" + re.escape(page_file.as_uri()))
    assert not [text for text in noise if not allowed.match(text)]


def names(page):
    rows = page.locator("tbody tr:visible th")
    return rows.all_text_contents()


def sorted_by(page):
    headers = page.locator("thead th[aria-sort]")
    return [(h.inner_text(), h.get_attribute("aria-sort")) for h in headers.all()]


def test_best_comes_first_until_somebody_sorts(visit):
    page = visit()
    assert names(page) == ["Bert", "resnet50", "vit / a", "vit / b", "broken"]
    assert sorted_by(page) == []


def test_a_click_sorts_and_another_turns_round(visit):
    page = visit()
    button = page.get_by_role("button", name="features")
    button.click()
    # By number, not by letters; what is unknown stays at the end.
    assert names(page) == ["broken", "Bert", "resnet50", "vit / a", "vit / b"]
    assert sorted_by(page) == [("features", "ascending")]
    button.click()
    assert names(page) == ["vit / a", "resnet50", "Bert", "broken", "vit / b"]
    assert sorted_by(page) == [("features", "descending")]


def test_scores_start_with_the_highest_and_times_with_the_shortest(visit):
    page = visit()
    page.get_by_role("button", name="time").click()
    assert names(page)[:3] == ["resnet50", "Bert", "vit / a"]
    page.get_by_role("button", name="logme").click()
    assert names(page)[:3] == ["Bert", "resnet50", "vit / a"]
    assert sorted_by(page) == [("logme", "descending")]


def test_names_sort_without_regard_to_capitals(visit):
    page = visit()
    page.get_by_role("button", name="candidate").click()
    assert names(page) == ["Bert", "broken", "resnet50", "vit / a", "vit / b"]


def test_everything_works_by_keyboard(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "scroll"
    for key, order in (("Enter", "ascending"), ("Space", "descending")):
        if order == "ascending":
            page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press(key)
        assert sorted_by(page) == [("rank", order)]


def test_all_words_of_the_filter_must_be_in_a_row(visit):
    page = visit()
    box = page.get_by_role("searchbox", name="Show rows with")
    box.fill("VIT  b")
    assert names(page) == ["vit / b"]
    assert page.get_by_role("status").inner_text() == "1 of 5 rows"
    page.keyboard.press("Enter")
    assert names(page) == ["vit / b"]
    box.fill("")
    assert len(names(page)) == 5
    assert page.get_by_role("status").inner_text() == ""


def test_filtered_rows_stay_hidden_when_sorting(visit):
    page = visit()
    page.get_by_role("searchbox").fill("vit")
    page.get_by_role("button", name="logme").click()
    page.get_by_role("button", name="logme").click()
    assert names(page) == ["vit / b", "vit / a"]


def test_without_scripts_the_whole_table_is_there(visit):
    page = visit(java_script_enabled=False)
    assert len(names(page)) == 5
    assert page.locator("button, input").count() == 0
    assert "no weights" in page.locator("tbody").inner_text()


@pytest.mark.parametrize("width", [320, 400, 1200])
def test_only_the_table_scrolls_sideways(visit, width):
    page = visit(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_paper(visit, scheme):
    contrasts = visit(color_scheme=scheme).evaluate(CONTRASTS)
    assert len(contrasts) > 30
    assert min(contrasts) >= LEAST_CONTRAST


def test_pictures_are_shown(visit):
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    images = visit().locator("img").all()
    assert images
    assert all(image.evaluate("(img) => img.naturalWidth > 100") for image in images)


def test_the_numbers_can_be_saved(visit, page_file, tmp_path):
    page = visit()
    with page.expect_download() as download:
        page.get_by_role("link", name="results.json").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert TransferResults.from_json(path)["candidate"].tolist() == NAMES
