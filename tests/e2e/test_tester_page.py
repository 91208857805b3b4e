"""The tester as an operator uses it: the page in a browser, on its own embedded AWS, from `make tester` to Ctrl-C."""

from __future__ import annotations

import re
import signal
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from dev import proof, sample_objects
from tests.browser import browser, resize, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.e2e

SECONDS = 300.0  # on a busy machine; on an idle one the whole run takes some 20
# One key a page: the seed's handler needs longer than its Lambda's timeout, on any machine.
PDFS = 2400
UPLOADED = '100% "résumé" #1.pdf'
UNLABELLED = """
return [...document.querySelectorAll("input, select, button, progress, [role=region]")].filter(each =>
  !(each.labels?.length || each.getAttribute("aria-label") || each.getAttribute("aria-labelledby")
    || (each.tagName === "BUTTON" && each.textContent.trim()))).map(each => each.outerHTML);
"""
# All read at one instant: the page draws its lists again after each message.
BARS = """
return [...document.querySelectorAll("#hops .hop")].map(row => [row.innerText.split("\\n")[0], row.dataset.outcome]);
"""
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Page(NamedTuple):
    """The page in a browser, and the URL that opened it."""

    driver: Chrome
    url: str

    def find(self, name: str) -> WebElement:
        """Return an element by its id."""
        return self.driver.find_element(By.ID, name)

    def wait(self, until: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + SECONDS
        while not until():
            texts = {name: self.find(name).text for name in ("status", "trouble", "chain-says", "seed-says", "hops")}
            assert time.monotonic() < deadline, texts
            time.sleep(0.1)

    def fill(self, **fields: str) -> None:
        """Write into fields of a form."""
        for name, value in fields.items():
            self.find(name).clear()
            self.find(name).send_keys(value)

    def choose(self, form: str, **values: str) -> None:
        """Set the filters of a panel; those that are not named are cleared."""
        for field in self.find(form).find_elements(By.CSS_SELECTOR, "select, input"):
            value = values.get(str(field.get_attribute("name")), "")
            if field.tag_name == "select":
                Select(field).select_by_value(value)
            else:
                field.send_keys(Keys.CONTROL, "a", Keys.DELETE)
                field.send_keys(value)

    def texts(self, where: str) -> list[str]:
        """Return the texts of elements, read at one instant."""
        script = "return [...document.querySelectorAll(arguments[0])].map(each => each.textContent)"
        return [str(each) for each in self.driver.execute_script(script, where)]

    def rows(self, where: str) -> list[WebElement]:
        """Return elements by a CSS selector."""
        return self.driver.find_elements(By.CSS_SELECTOR, where)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Start the tester and open the URL that it prints."""
    with browser(tmp_path_factory.mktemp("profile")) as driver, started() as (url, _):
        resize(driver, 1600)
        driver.get(url)
        yield Page(driver, url)


@pytest.fixture(scope="module")
def ran(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Create PDFs, upload one, kill hop 1 of the chain, and wait until chain and seed have ended."""
    page.wait(lambda: page.find("status").text == "ready")
    page.fill(count=str(PDFS))
    page.find("count").submit()
    page.wait(lambda: page.find("held").text == f"{PDFS + len(sample_objects.NO_PDFS):,}")
    uploaded = tmp_path_factory.mktemp("upload") / UPLOADED
    uploaded.write_bytes(sample_objects.pdf("uploaded"))
    refused = uploaded.with_name("no.pdf")
    refused.write_bytes(b"no PDF")
    page.find("files").send_keys(f"{refused}\n{uploaded}")
    page.wait(lambda: page.find("held").text == f"{PDFS + len(sample_objects.NO_PDFS) + 1:,}")
    page.wait(lambda: page.find("trouble").text)
    assert page.find("trouble").text == "2 files given. Not taken: no.pdf: must be a PDF: its header is missing"
    page.fill(page_size="1", timeout="8", kept_free="6", kill_hops="1")
    page.find("run").click()
    page.wait(lambda: page.find("status").text == "complete" and "died" in page.find("seed-says").text)
    page.wait(lambda: page.rows("#hops [data-outcome=complete]") and page.rows("#entries a"))
    return page


def test_the_token_leaves_the_address_bar(page: Page) -> None:
    """Neither a glance at the screen nor the history reveals the session."""
    assert page.driver.current_url == page.url.split("?")[0]
    assert page.driver.execute_script("return document.cookie") == ""
    assert page.driver.title == "presign-siblings tester"


def test_each_control_has_a_name(page: Page) -> None:
    """A screen reader announces what each is for."""
    assert page.driver.execute_script(UNLABELLED) == []
    landmarks = [len(page.rows(each)) for each in ("header", "main", "h1", "html[lang=en]")]
    assert landmarks == [1, 1, 1, 1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_the_page_fits_its_width(ran: Page, width: int, scheme: str) -> None:
    """On a phone and on a large screen nothing scrolls sideways, with a run's results in it."""
    resize(ran.driver, width, scheme=scheme)
    assert ran.driver.execute_script(OVERFLOW) == 0
    assert ran.find("chart").find_element(By.TAG_NAME, "svg").rect["width"] <= width
    resize(ran.driver, 1600)


@pytest.mark.parametrize("width", [400, 800, 1100, 1600])
def test_the_hops_are_legible_at_each_width(ran: Page, width: int) -> None:
    """Bars have room, and no two times on their axis overlap."""
    resize(ran.driver, width)
    assert min(each.rect["width"] for each in ran.rows("#hops .track")) > 150
    times = sorted((each.rect["x"], each.rect["width"]) for each in ran.rows("#axis span"))
    assert [later for (x, wide), (later, _) in pairwise(times) if later < x + wide] == []
    resize(ran.driver, 1600)


def test_the_chain_completes_where_the_seed_dies(ran: Page) -> None:
    """Same bucket, same timeout, side by side."""
    expected = f"{PDFS + 1:,}"
    assert (ran.find("chain-count").text, ran.find("chain-of").text) == (expected, f"of {expected} keys")
    assert re.fullmatch(
        r"complete in [\d.]+ s: \d+ hand-overs, 1 kill(, \d+ retr(y|ies))?\.", ran.find("chain-says").text
    )
    assert 0 < int(ran.find("seed-count").text.replace(",", "")) < PDFS + 1
    assert "timed out after 8.00 seconds" in ran.find("seed-says").text


def test_the_timeline_shows_the_kill_and_the_hop_that_took_over(ran: Page) -> None:
    """Each invocation is a bar."""
    bars = [(str(name), str(outcome)) for name, outcome in ran.driver.execute_script(BARS)]
    assert bars.index(("hop 1", "killed")) < bars.index(("hop 1", "handed over"))
    assert bars[0] == ("hop 0", "handed over")
    assert bars[-2][1] == "complete"
    assert bars[-1] == ("seed", "died")
    assert ran.rows("#chart polyline.chain")
    assert ran.rows("#chart .cross")


def test_a_link_of_the_manifest_opens_the_pdf(ran: Page) -> None:
    """The uploaded file, with its awkward name; the filter finds it."""
    ran.choose("manifest-filters", text="RÉSUMÉ")
    ran.wait(lambda: f"inbox/{UPLOADED}" in ran.texts("#entries a") and len(ran.texts("#entries a")) < 5)
    (link,) = [each for each in ran.rows("#entries a") if each.text == f"inbox/{UPLOADED}"]
    assert proof.get(str(link.get_attribute("href"))) == (200, sample_objects.pdf("uploaded"))
    assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener noreferrer")


def test_the_logs_are_filtered_by_event_level_hop_and_text(ran: Page) -> None:
    """One line of a chain is `complete`; hop 0 has begun once."""
    ran.choose("log-filters", event="complete", source="chain")
    ran.wait(lambda: len(ran.texts("#logs details")) == 1)
    ran.driver.execute_script("document.querySelector('#logs summary').click()")
    ran.wait(lambda: '"manifest_key"' in ran.texts("#logs details")[0])
    assert "X-Amz-Signature" not in ran.texts("#logs details")[0]
    ran.choose("log-filters", event="start", hop="0")
    ran.wait(lambda: len(ran.texts("#logs details")) == 1)
    ran.choose("log-filters", event="start", hop="0", level="ERROR")
    ran.wait(lambda: ran.texts("#logs details") == [])
    ran.choose("log-filters", text='NEXT_HOP":1}')
    ran.wait(lambda: len(ran.texts("#logs details")) == 1)
    assert "handover" in ran.texts("#logs details")[0]
    ran.choose("log-filters")
    ran.wait(lambda: len(ran.texts("#logs details")) > 10)


def test_the_metrics_add_up(ran: Page) -> None:
    """The chain's row is the sum of its hops; a killed hop has written no metrics."""
    ran.choose("metric-filters")
    at = ran.texts("#metrics thead th").index("PDFsProcessed")
    rows = [each.find_elements(By.XPATH, "*") for each in ran.rows("#metrics tbody tr")]
    hops = [int(row[at].text.replace(",", "")) for row in rows if row[0].text.startswith("hop ")]
    total = int(ran.texts("#metrics tfoot > tr > *")[at].replace(",", ""))
    assert sum(hops) == total
    assert PDFS // 2 < total <= PDFS + 1


def test_the_ledgers_record_is_shown(ran: Page) -> None:
    """As the jobs table holds it."""
    terms = [each.text for each in ran.rows("#ledger dt")]
    record = dict(zip(terms, [each.text for each in ran.rows("#ledger dd")], strict=True))
    assert (record["state"], record["count"]) == ("complete", str(PDFS + 1))


def test_urls_are_only_in_the_manifests_links(ran: Page) -> None:
    """Logs, metrics and record are copied into tickets."""
    ran.choose("log-filters")
    for name in ("logs", "metrics", "ledger", "hops", "status", "job"):
        assert "X-Amz" not in str(ran.find(name).get_attribute("innerHTML")), name
    stored = "return [localStorage.length, sessionStorage.length, document.cookie]"
    assert ran.driver.execute_script(stored) == [0, 0, ""]


def test_a_refused_field_shows_its_message_beside_it(ran: Page) -> None:
    """The field gets the focus; once it is corrected, the message is gone."""
    ran.fill(page_size="1001")
    ran.find("run").click()
    ran.wait(lambda: ran.rows("#error-page_size"))
    field = ran.find("page_size")
    assert "must be an integer from 1 to 1000" in ran.find("error-page_size").text
    assert (field.get_attribute("aria-invalid"), field.get_attribute("aria-describedby")) == ("true", "error-page_size")
    assert ran.driver.switch_to.active_element == field
    assert ran.find("status").text == "complete"


def test_a_refusal_scrolls_into_view(ran: Page, tmp_path: Path) -> None:
    """A click on Run further down seemed to do nothing."""
    refused = tmp_path / "no.pdf"
    refused.write_bytes(b"no PDF")
    ran.driver.execute_script("scrollTo(0, document.body.scrollHeight)")
    ran.find("files").send_keys(str(refused))
    ran.wait(lambda: ran.find("trouble").text)
    box = "const { top, bottom } = document.getElementById('trouble').getBoundingClientRect();"
    box += "return [top, innerHeight - bottom]"
    ran.wait(lambda: min(ran.driver.execute_script(box)) >= 0)


def test_a_list_is_one_stop_of_the_tab_key(ran: Page) -> None:
    """The arrow keys, Home and End move within it."""
    ran.choose("log-filters")
    for place, item in (("#logs", "summary"), ("#entries", "a")):
        stops = "return [...document.querySelectorAll(arguments[0])].filter(each => each.tabIndex === 0).length"
        assert ran.driver.execute_script(stops, f"{place} {item}") == 1, place


def test_the_result_comes_before_the_logs(ran: Page) -> None:
    """The manifest is found without scrolling through log lines."""
    assert ran.find("entries").location["y"] < ran.find("logs").location["y"]


def test_the_browser_logs_no_error(ran: Page) -> None:
    """No script fails, and the page obeys its own policy."""
    log: list[dict[str, Any]] = ran.driver.get_log("browser")  # type: ignore[no-untyped-call]
    assert [each for each in log if "status of 400" not in each["message"]] == []


def test_ctrl_c_leaves_nothing_behind() -> None:
    """No process, and no open port."""
    with started() as (url, process):
        children = _descendants(process.pid)
        assert children
        assert proof.get(url.split("?")[0])[0] == 403
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert [pid for pid in children if _is_alive(pid)] == []
    with pytest.raises(OSError, match="refused"):
        proof.get(url)


def _descendants(pid: int) -> set[int]:
    """Return a process's children, and their children."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
