"""A recipient's page in a real browser, opened from a file."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from presign_siblings.manifests.entry import Entry
from processor.page import Names, page
from processor.signing.sigv4 import quoted
from tests.browser import browser, resize
from tests.corpus import AWKWARD_KEYS
from tests.programs import program
from tests.web import Answer, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.e2e

SECONDS = 60.0  # the longest wait for a change of the page, on a busy machine


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start one browser."""
    with browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


def entry(key: str, life: timedelta = timedelta(days=2), number: int = 0, **more: Any) -> Entry:
    """Return a line with a presigned URL that was signed an hour ago."""
    signed = datetime.now(UTC) - timedelta(hours=1)
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={signed:%Y%m%dT%H%M%SZ}"
        f"&X-Amz-Expires={int((life + timedelta(hours=1)).total_seconds())}&X-Amz-Signature={number:064x}"
    )
    address = "http://127.0.0.1:9/reports/" + quoted([key])[0]
    return Entry(key, f"{address}?{query}", **more)


def attached(count: int) -> list[Entry]:
    """Return lines whose links save, by their signed disposition."""
    entries = [entry(f"{number:02}.pdf", number=number) for number in range(count)]
    return [Entry(each.key, f"{each.url}&response-content-disposition=attachment") for each in entries]


def shown(driver: Any, folder: Path, entries: Sequence[Entry], **words: str) -> Any:
    """Open the page of some entries."""
    path = folder / "index.html"
    path.write_text("".join(page(iter(entries), **words)), encoding="utf-8")
    resize(driver, 1000)
    driver.get(path.as_uri())
    return driver


def links(driver: Any) -> list[Any]:
    """Return the visible links."""
    return list(driver.find_elements(By.CSS_SELECTOR, "#space a"))


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds; return whether it does."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def text(driver: Any, name: str) -> str:
    """Return an element's text."""
    return str(driver.find_element(By.ID, name).text)


def test_each_link_is_the_manifests_own(driver: Any, tmp_path: Path) -> None:
    """The page builds the signed URL exactly, also for keys that encoders get wrong."""
    entries = [entry(key, number=number) for number, key in enumerate(sorted(AWKWARD_KEYS))]
    shown(driver, tmp_path, entries)
    found = driver.execute_script("return files.map(url)")
    assert found == [each.url for each in entries]
    assert not [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]


def test_a_name_that_reverses_the_text_or_begins_with_a_blank_is_shown_as_it_is(driver: Any, tmp_path: Path) -> None:
    """An override of the direction would show exe.pdf for fdp.exe; blanks would vanish."""
    shown(driver, tmp_path, [entry("  blank.pdf"), entry("a\u202efdp.exe"), entry("b\u3164\U000e0041.pdf")])
    blank, turned, unseen = links(driver)
    assert turned.text == "aU+202Efdp.exe"
    assert unseen.text == "bU+3164U+E0041.pdf"
    assert driver.execute_script("return arguments[0].textContent", blank) == "  blank.pdf"
    assert blank.value_of_css_property("white-space-collapse") == "preserve"


def test_joiners_are_kept_where_a_script_or_an_emoji_needs_them(driver: Any, tmp_path: Path) -> None:
    """A Persian name was split by U+200C, and an emoji of several into its parts."""
    written = [
        "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627.pdf",
        "\u0d28\u0d4d\u200d.pdf",
        "\u2764\ufe0f\u200d\U0001f525.pdf",
    ]
    shown(driver, tmp_path, [entry(name) for name in sorted(["pd\u200df", *written])])
    assert sorted(link.text for link in links(driver)) == sorted(["pdU+200Df", *written])


def test_the_page_says_what_it_offers_how_much_and_until_when(driver: Any, tmp_path: Path) -> None:
    """Title, contact, number, bytes, the end in local time and the time left."""
    entries = [entry("a/1.pdf", size=1_500_000, last_modified="2026-04-01T06:30:15+00:00"), entry("b.pdf", size=500)]
    shown(driver, tmp_path, entries, title="Reports of April", contact="ann@example.com")
    assert driver.title == "Reports of April"
    body = driver.find_element(By.TAG_NAME, "body").text
    assert "Contact: ann@example.com" in body
    assert text(driver, "sum") == "2 files, 1.5 MB"
    assert "The links work until" in text(driver, "life")
    assert text(driver, "left") in {"(1 d 23 h left)", "(2 d 0 h left)"}


def test_a_date_in_persian_is_read_from_its_year_on(driver: Any, tmp_path: Path) -> None:
    """The English sentence around it moved the year to its end, behind the time of day."""
    driver.execute_cdp_cmd("Emulation.setLocaleOverride", {"locale": "fa-IR"})
    try:
        shown(driver, tmp_path, [entry("a.pdf")])
    finally:
        driver.execute_cdp_cmd("Emulation.setLocaleOverride", {"locale": ""})
    places = driver.execute_script(
        "const node = document.getElementById('life').firstChild, range = document.createRange(), all = node.data;"
        "return [/[\u06f0-\u06f9]/, /[\u0621-\u064a]/].map((kind) => { const at = all.search(kind);"
        " range.setStart(node, at); range.setEnd(node, at + 1); return range.getBoundingClientRect().left; });"
    )
    assert places[0] > places[1]


def test_folders_open_and_the_path_leads_back(driver: Any, tmp_path: Path) -> None:
    """By keyboard as well as by mouse."""
    shown(driver, tmp_path, [entry("a/b/1.pdf"), entry("a/2.pdf"), entry("top.pdf")])
    assert [link.text for link in links(driver)] == ["top.pdf"]
    driver.find_element(By.CSS_SELECTOR, "#space .row button").send_keys(Keys.ENTER)
    assert [link.text for link in links(driver)] == ["2.pdf"]
    driver.find_element(By.CSS_SELECTOR, "#path button").send_keys(Keys.ENTER)
    assert [link.text for link in links(driver)] == ["top.pdf"]


def test_the_page_begins_in_the_folder_that_holds_all_files(driver: Any, tmp_path: Path) -> None:
    """inbox/ and then 2026/ need not be opened before the first file shows; the path leads back."""
    shown(driver, tmp_path, [entry("inbox/2026/1.pdf"), entry("inbox/2026/a/2.pdf"), entry("inbox/2026/b/3.pdf")])
    assert [link.text for link in links(driver)] == ["1.pdf"]
    driver.find_elements(By.CSS_SELECTOR, "#path button")[0].click()
    assert driver.find_element(By.CSS_SELECTOR, "#space .name").text == "inbox/ 3 files"
    shown(driver, tmp_path, [entry("/a/1.pdf"), entry("//2.pdf"), entry("c.pdf")])
    assert [link.text for link in links(driver)] == ["c.pdf"]


def test_search__covers_all_folders_and_says_when_nothing_is_found(driver: Any, tmp_path: Path) -> None:
    """The number of files shown is part of the page."""
    shown(driver, tmp_path, [entry("a/April.pdf"), entry("b/May.pdf")])
    box = driver.find_element(By.ID, "wanted")
    box.send_keys("apr")
    assert [link.text for link in links(driver)] == ["April.pdf"]
    assert driver.find_element(By.CSS_SELECTOR, "#space .name").text == "April.pdf a/"
    assert text(driver, "shown") == "1 of 2 shown"
    box.send_keys("x")
    assert text(driver, "nothing") == "No name contains “aprx”."


def test_files_that_were_found_in_deep_folders_can_be_distinguished_on_a_phone(driver: Any, tmp_path: Path) -> None:
    """Each begins with its own name: a line that begins with the folders would end before it."""
    folders = "archive/customers/acme-international/2026/april"
    shown(driver, tmp_path, [entry(f"{folders}/{number % 2}/invoice-{number:06}.pdf", size=1) for number in range(4)])
    resize(driver, 400)
    driver.find_element(By.ID, "wanted").send_keys("invoice")
    assert [name.text for name in driver.find_elements(By.CSS_SELECTOR, "#space .name")] == [
        *("invoice-000000.pdf 0/", "invoice-000002.pdf 0/", "invoice-000001.pdf 1/", "invoice-000003.pdf 1/")
    ]


def test_each_file_has_a_name_where_a_folder_is_an_object_too(driver: Any, tmp_path: Path) -> None:
    """As S3's console makes it; inside itself, it had an empty name."""
    shown(driver, tmp_path, [entry("a/1.pdf"), entry("a/"), entry("a/b/2.pdf"), entry("a/b/")])
    driver.find_element(By.CSS_SELECTOR, "#space .row button").click()
    assert [name.text for name in driver.find_elements(By.CSS_SELECTOR, "#space .name")] == ["b/ 1 file", "1.pdf", "b/"]
    driver.find_element(By.CSS_SELECTOR, "#space .row button").click()
    assert [link.text for link in links(driver)] == ["2.pdf"]


def test_folders_are_sorted_as_the_files_are(driver: Any, tmp_path: Path) -> None:
    """A manifest of a list of keys has their order."""
    shown(driver, tmp_path, [entry(key, size=1) for key in ("b/1.pdf", "c/1.pdf", "a/1.pdf", "2.pdf", "1.pdf")])
    names = [name.text for name in driver.find_elements(By.CSS_SELECTOR, "#space .name")]
    assert names == ["a/ 1 file", "b/ 1 file", "c/ 1 file", "1.pdf", "2.pdf"]


def test_a_file_that_no_browser_can_request_is_not_a_link(driver: Any, tmp_path: Path) -> None:
    """A link would open another file, or S3's refusal; the curl command fetches it."""
    shown(driver, tmp_path, [entry("./b.pdf", number=1), entry("a.pdf")])
    assert text(driver, "dotted").startswith("1 file has “.” or “..”")
    driver.find_element(By.ID, "wanted").send_keys("pdf")
    assert [link.get_attribute("href") is None for link in links(driver)] == [True, False]
    assert driver.find_element(By.CSS_SELECTOR, "#space .name .odd").text == "curl only"
    driver.find_element(By.ID, "all").click()
    driver.find_element(By.ID, "save").click()
    assert "marked “curl only”" in text(driver, "told")


def test_expired_links_are_grey_and_the_page_says_whom_to_ask(driver: Any, tmp_path: Path) -> None:
    """No reader clicks 5,000 dead links."""
    shown(driver, tmp_path, [entry("a.pdf", timedelta(minutes=-5))], contact="ann@example.com")
    life = text(driver, "life")
    assert life.startswith("By this device's clock"), "a clock that is a day fast makes live links look dead"
    assert life.endswith("If the clock is right, ask ann@example.com for a new page.")
    (link,) = links(driver)
    assert link.value_of_css_property("pointer-events") == "none"
    assert link.get_attribute("href") is None  # the keyboard opens no link either
    assert not driver.find_element(By.ID, "all").is_enabled()


def test_links_that_expire_while_the_page_is_open_turn_grey_by_themselves(driver: Any, tmp_path: Path) -> None:
    """A selection can no longer be copied or downloaded."""
    shown(driver, tmp_path, [entry("a.pdf")])
    driver.find_element(By.ID, "all").click()
    (box,) = driver.find_elements(By.CSS_SELECTOR, "#space input")
    driver.execute_script("arguments[0].focus(); ends = Date.now() - 1; tick()", box)
    (link,) = links(driver)
    assert link.get_attribute("href") is None
    assert driver.switch_to.active_element == box  # the focus in the list stays
    assert not [name for name in ("all", "save", "links", "curl") if driver.find_element(By.ID, name).is_enabled()]


def test_a_folder_is_selected_with_all_its_files(driver: Any, tmp_path: Path) -> None:
    """Files seldom lie at the top: where there are only folders, 'Select all shown' selects their files."""
    keys = ["a/1.pdf", "a/b/2.pdf", "c/3.pdf", "top.pdf"]
    shown(driver, tmp_path, [entry(key, number=number) for number, key in enumerate(keys)])
    boxes = driver.find_elements(By.CSS_SELECTOR, "#space input")
    assert [box.get_attribute("aria-label") for box in boxes] == ["Select a/", "Select c/", "Select top.pdf"]
    boxes[0].click()
    assert text(driver, "told") == "2 selected"
    driver.find_element(By.CSS_SELECTOR, "#space .row button").click()
    inner, file = driver.find_elements(By.CSS_SELECTOR, "#space input")
    assert (inner.is_selected(), file.is_selected()) == (True, True)
    file.click()
    driver.find_element(By.CSS_SELECTOR, "#path button").click()
    boxes = driver.find_elements(By.CSS_SELECTOR, "#space input")
    assert [box.get_property("indeterminate") for box in boxes] == [True, False, False]
    driver.find_element(By.ID, "all").click()
    assert text(driver, "told") == "4 selected"
    assert all(box.is_selected() for box in driver.find_elements(By.CSS_SELECTOR, "#space input"))
    driver.find_element(By.ID, "all").click()
    assert text(driver, "told") == ""


@pytest.mark.parametrize("more", [{}, {"size": 5, "last_modified": "2026-04-01T06:30:15Z"}])
@pytest.mark.parametrize("width", [400, 1600])
def test_a_folder_says_how_many_files_it_holds(driver: Any, tmp_path: Path, width: int, more: dict[str, Any]) -> None:
    """On a phone too, and where lines hold no facts."""
    shown(driver, tmp_path, [entry("a/1.pdf", **more), entry("b/1.pdf", **more), entry("b/2.pdf", **more)])
    resize(driver, width)
    rows = driver.execute_script("return [...document.querySelectorAll('#space .row .name')].map(row => row.innerText)")
    assert rows == ["a/ 1 file", "b/ 2 files"]


def test_a_download_of_many_files_starts_each_once_and_can_be_stopped(driver: Any, tmp_path: Path) -> None:
    """The countdown neither replaces its message, nor lets a second download begin."""
    saving = attached(30)
    shown(driver, tmp_path, saving)
    driver.find_element(By.ID, "all").click()
    save = driver.find_element(By.ID, "save")
    save.click()
    driver.execute_script("tick()")
    assert text(driver, "told").startswith("Started ")
    assert save.text == "Stop"
    save.click()
    assert eventually(lambda: save.text == "Download selected")
    assert "Stopped after " in text(driver, "told")
    frames = driver.execute_script("return [...document.querySelectorAll('iframe')].map(frame => frame.src)")
    assert frames == [each.url for each in saving][: len(frames)]
    assert len(frames) < len(saving)


def test_firefox_asks_before_it_opens_many_tabs(driver: Any, tmp_path: Path) -> None:
    """It opens each saved PDF in a tab, however the download begins: 5,000 tabs end it."""
    shown(driver, tmp_path, attached(11))
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    driver.execute_script(f"Object.defineProperty(navigator, 'userAgent', {{value: '{agent}', configurable: true}})")
    driver.find_element(By.ID, "all").click()
    driver.find_element(By.ID, "save").click()
    assert text(driver, "told").startswith("Firefox opens each PDF that it saves in a tab, 11 here: press again")
    assert not driver.find_elements(By.TAG_NAME, "iframe")
    driver.find_element(By.ID, "save").click()
    assert text(driver, "told").startswith("Started ")


def test_a_screen_reader_announces_the_first_and_the_last_of_a_download(driver: Any, tmp_path: Path) -> None:
    """The numbers between are not announced."""
    shown(driver, tmp_path, attached(2))
    driver.execute_script(
        "window.heard = []; new MutationObserver(() => told.ariaLive === 'polite' && heard.push(told.textContent))"
        ".observe(told, {childList: true})"
    )
    driver.find_element(By.ID, "all").click()
    driver.find_element(By.ID, "save").click()
    assert eventually(lambda: text(driver, "told") == "Started all, 2 of 2")
    assert driver.execute_script("return heard") == ["2 selected", "Started 1 of 2", "Started all, 2 of 2"]


def test_links_that_would_not_save_are_reported_before_the_first_is_opened(driver: Any, tmp_path: Path) -> None:
    """A frame that shows a PDF saves nothing."""
    shown(driver, tmp_path, [entry("a.pdf")])
    driver.find_element(By.ID, "all").click()
    driver.find_element(By.ID, "save").click()
    assert "open in the browser instead of saving" in text(driver, "told")
    assert not driver.find_elements(By.TAG_NAME, "iframe")


def test_a_screen_reader_announces_names_and_roles_and_no_countdown(driver: Any, tmp_path: Path) -> None:
    """A table with headers and named boxes; the countdown is in no live region until the links die."""
    shown(driver, tmp_path, [entry("a/1.pdf", size=1), entry("b.pdf", size=1)])
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    nodes_read = [
        (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]
    ]
    for expected in (
        *(("searchbox", "Search all names"), ("table", "Files"), ("navigation", "Folder")),
        *(("columnheader", name) for name in ("Selected", "Name", "Size", "Changed")),
        *(("checkbox", "Select a/"), ("button", "a/"), ("checkbox", "Select b.pdf"), ("link", "b.pdf")),
    ):
        assert expected in nodes_read
    assert not [
        role for role, name in nodes_read if role in {"button", "link", "checkbox", "columnheader"} and not name
    ]
    live = driver.execute_script("return [...document.querySelectorAll('[aria-live]')].map(each => each.textContent)")
    assert any("The links work until" in each for each in live)
    assert not [each for each in live if " left" in each]


def test_a_screen_reader_keeps_its_place_while_the_list_scrolls(driver: Any, tmp_path: Path) -> None:
    """Its place is an element: when each scroll made all rows anew, Orca read the first sixteen for ever."""
    shown(driver, tmp_path, [entry(f"{number:03}.pdf", number=number) for number in range(200)])
    row = driver.find_element(By.CSS_SELECTOR, "[aria-rowindex='20']")
    box = row.find_element(By.TAG_NAME, "input")
    driver.execute_script("document.getElementById('list').scrollTop = 200; draw()")
    box.click()
    assert (row.is_displayed(), box.is_selected()) == (True, True)
    assert driver.switch_to.active_element == box
    places = "return [...document.querySelectorAll('#space .row')].map(row => +row.getAttribute('aria-rowindex'))"
    assert (found := driver.execute_script(places)) == sorted(found)


def test_a_screen_reader_announces_the_order_and_the_folder(driver: Any, tmp_path: Path) -> None:
    """It announces neither a change of aria-sort, nor the path above."""
    shown(driver, tmp_path, [entry("a/1.pdf", size=1), entry("b.pdf", size=1)])
    size = driver.find_element(By.CSS_SELECTOR, "[data-sort=size] button")
    for expected in ("Sorted by Size, ascending", "Sorted by Size, descending"):
        size.click()
        assert driver.execute_script("return document.getElementById('sorted').textContent") == expected
    driver.find_element(By.CSS_SELECTOR, "#space .row button").click()
    assert driver.switch_to.active_element.get_attribute("aria-label") == "All files / a; arrow keys scroll"


def test_a_screen_reader_finds_the_expiry_by_the_arrow_keys_too(driver: Any, tmp_path: Path) -> None:
    """Of an element with the role status, Orca reads only the role."""
    shown(driver, tmp_path, [entry("a.pdf")])
    assert not driver.find_elements(By.CSS_SELECTOR, "[role=status]")


def record_copies(driver: Any, *, works: bool = True) -> None:
    """Keep what the page copies in ``window.got``, as in a browser without the clipboard API."""
    driver.execute_script(
        "const works = arguments[0];"
        "document.execCommand = () => { window.got = document.activeElement.value; return works; };",
        works,
    )
    driver.execute_script("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")


def test_selected__links_and_a_curl_command_are_copied(driver: Any, tmp_path: Path) -> None:
    """For recipients who want many files."""
    entries = [entry("a.pdf"), entry("b.pdf", number=1)]
    shown(driver, tmp_path, entries)
    record_copies(driver)
    driver.find_element(By.ID, "all").click()
    assert text(driver, "told") == "2 selected"
    driver.find_element(By.ID, "links").click()
    assert driver.execute_script("return window.got").split() == [each.url for each in entries]
    driver.find_element(By.ID, "curl").click()
    command = driver.execute_script("return window.got")
    assert f"\nget './a.pdf' '{entries[0].url}'\n" in command


def test_windows_users_are_told_which_shell_runs_the_command(driver: Any, tmp_path: Path) -> None:
    """Its own shells cannot read a list that follows the command."""
    shown(driver, tmp_path, [entry("a.pdf")])
    record_copies(driver)
    driver.find_element(By.ID, "all").click()
    driver.find_element(By.ID, "curl").click()
    assert text(driver, "told") == "Command copied"
    driver.execute_script(
        "Object.defineProperty(navigator, 'userAgent', {value: 'Mozilla/5.0 (Windows NT 10.0)', configurable: true})"
    )
    driver.find_element(By.ID, "curl").click()
    assert "on Windows: Git Bash or WSL" in text(driver, "told")


def pasted(driver: Any, folder: Path) -> subprocess.CompletedProcess[str]:
    """Select each file, copy the curl command, and run it."""
    record_copies(driver)
    driver.execute_script("for (const file of files) selected.add(file); count()")
    driver.find_element(By.ID, "curl").click()
    command = str(driver.execute_script("return window.got"))
    return subprocess.run(["/bin/sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)


def test_the_curl_command_gives_each_file_the_name_that_download_gives_it(driver: Any, tmp_path: Path) -> None:
    """Pasted and run: folders are created, awkward names stay apart, a second run fetches nothing again."""
    program("curl")
    (tmp_path / "files").mkdir()
    with serving() as web:
        entries = [Entry(key, web.serve("/" + quoted([key])[0], Answer(key.encode()))) for key in sorted(AWKWARD_KEYS)]
        shown(driver, tmp_path, entries)
        done = pasted(driver, tmp_path / "files")
        asked = len(web.asked)
        again = pasted(driver, tmp_path / "files")
        assert (again.returncode, len(web.asked)) == (0, asked)
    assert done.returncode == 0, done.stderr[-500:]
    names = Names()
    expected = {"/".join(names.path(key)): key.encode() for key in sorted(AWKWARD_KEYS)}
    found = {path.relative_to(tmp_path / "files").as_posix(): path for path in (tmp_path / "files").rglob("*")}
    assert {name: path.read_bytes() for name, path in found.items() if path.is_file()} == expected


def test_the_curl_command_continues_where_it_was_stopped(driver: Any, tmp_path: Path) -> None:
    """A partial file never has the final name; a file of the recipient's own is left alone."""
    program("curl")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "own.pdf").write_bytes(b"own")
    body = b"0123456789" * 1000
    with serving() as web:
        parts = [Answer(body, cut=4000, times=1), Answer(body)]
        entries = [Entry("a.pdf", web.serve("/a.pdf", *parts)), Entry("dead.pdf", web.serve("/dead.pdf"))]
        shown(driver, tmp_path, [*entries, Entry("own.pdf", web.serve("/own.pdf", Answer(b"theirs")))])
        assert "transfer closed" in pasted(driver, tmp_path / "files").stderr
        assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["a.pdf%part", "own.pdf"]
        pasted(driver, tmp_path / "files")
        assert ("/a.pdf", "bytes=6000-") in web.asked
    found = {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()}
    assert found == {"a.pdf": body, "own.pdf": b"own"}


def test_fifty_thousand_files__only_the_visible_rows_are_in_the_page(driver: Any, tmp_path: Path) -> None:
    """Scrolling to the end shows the last file."""
    shown(driver, tmp_path, [entry(f"{number:05}.pdf", number=number, size=number) for number in range(50_000)])
    assert len(links(driver)) < 100
    driver.execute_script("const list = document.getElementById('list'); list.scrollTop = list.scrollHeight; draw()")
    assert links(driver)[-1].text == "49999.pdf"
    driver.find_element(By.CSS_SELECTOR, "[data-sort=size] button").click()
    driver.find_element(By.CSS_SELECTOR, "[data-sort=size] button").click()
    assert links(driver)[0].text == "49999.pdf"


def test_keys_scroll_on_when_the_focused_row_is_out_of_view(driver: Any, tmp_path: Path) -> None:
    """A row removed from the page would lose the focus, and the list would stop scrolling."""
    shown(driver, tmp_path, [entry(f"{number:05}.pdf", number=number) for number in range(1000)])
    links(driver)[0].send_keys(Keys.TAB)
    driver.execute_script("document.getElementById('list').scrollTop = 5000")
    assert eventually(lambda: "00125.pdf" in text(driver, "space"))
    ActionChains(driver).send_keys(Keys.PAGE_DOWN).perform()
    assert eventually(lambda: driver.execute_script("return document.getElementById('list').scrollTop > 5000"))


@pytest.mark.parametrize("end", ["it is printed", "the links expire"])
def test_keys_scroll_on_after_the_row_that_had_the_focus_has_changed(driver: Any, tmp_path: Path, end: str) -> None:
    """Rows are made anew after printing, and a link that has expired is none any more."""
    entries = [entry(f"{number:05}.pdf", timedelta(seconds=4), number) for number in range(100)]
    shown(driver, tmp_path, entries if end == "the links expire" else [entry("a.pdf"), entry("b.pdf")])
    driver.execute_script("document.querySelector('#space a').focus()")
    if end == "it is printed":
        driver.execute_script("for (const at of ['beforeprint', 'afterprint']) dispatchEvent(new Event(at))")
    else:
        assert eventually(lambda: "stopped working" in text(driver, "life"))
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert driver.switch_to.active_element.get_attribute("id") == "list"


def test_names_that_begin_alike_can_be_distinguished_on_a_phone(driver: Any, tmp_path: Path) -> None:
    """A name has two lines there; one line would end before the part that differs."""
    shown(driver, tmp_path, [entry(f"report of the committee of 2026-0{month}.pdf", size=1) for month in (1, 2)])
    resize(driver, 400)
    driver.execute_script("draw()")
    names = driver.find_elements(By.CSS_SELECTOR, ".row .name")
    for seen in ("Height", "Width"):
        cut = f"return arguments[0].scroll{seen} > arguments[0].client{seen}"
        assert [driver.execute_script(cut, name) for name in names] == [False, False]


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_is_wider_than_the_window(driver: Any, tmp_path: Path, width: int) -> None:
    """On a phone and on a desktop."""
    shown(driver, tmp_path, [entry("a" * 300 + ".pdf", size=1, last_modified="2026-04-01T06:30:15Z")], title="b" * 300)
    resize(driver, width)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_the_printed_page_shows_each_file_in_full_and_no_controls(driver: Any, tmp_path: Path) -> None:
    """Long names take several lines beside size and date, and the countdown is left out."""
    facts: dict[str, Any] = {"size": 1, "last_modified": "2026-04-01T06:30:15Z"}
    shown(driver, tmp_path, [entry(f"{number:03} " + "long name " * 30 + ".pdf", **facts) for number in range(100)])
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        driver.execute_script("dispatchEvent(new Event('beforeprint'))")
        rows = driver.execute_script(
            "const box = (row, of) => row.querySelector(of).getBoundingClientRect();"
            "return [...document.querySelectorAll('.row')].map(row => [box(row, 'a').right, box(row, '.size').left])"
        )
        assert len(rows) == 100
        assert not [row for row in rows if row[0] > row[1]]
        assert not [
            each for each in driver.find_elements(By.CSS_SELECTOR, "input, .choose, #left") if each.is_displayed()
        ]
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_page_without_scripts_says_where_to_open_it(driver: Any, tmp_path: Path) -> None:
    """A mail program's preview or a server's policy forbids them; the page showed buttons without effect."""
    written = "".join(page(iter([entry("a.pdf")])))
    with serving() as web:
        policy = {"Content-Type": "text/html", "Content-Security-Policy": "default-src 'none'"}
        driver.get(web.serve("/page", Answer(written.encode(), headers=policy)))
        body = driver.find_element(By.TAG_NAME, "body").text
        driver.get_log("browser")  # the policy's refusals, which no other test should find
    assert "save this page, and open it in a browser" in body
    assert "Select all shown" not in body
    assert "JavaScript" not in shown(driver, tmp_path, [entry("a.pdf")]).find_element(By.TAG_NAME, "body").text


def test_a_page_in_a_preview_says_where_files_can_be_saved(driver: Any, tmp_path: Path) -> None:
    """Cloud stores show it in a frame that runs scripts and blocks downloads: "Started all", and no file came."""
    shown(driver, tmp_path, attached(2))
    outside = tmp_path / "preview.html"
    outside.write_text(
        '<iframe sandbox="allow-scripts" src="index.html" width=900 height=600></iframe>', encoding="utf-8"
    )
    driver.get(outside.as_uri())
    driver.switch_to.frame(0)
    assert "if no file is saved, save this page, and open it in a browser" in text(driver, "unscripted")
    assert len(links(driver)) == 2
    driver.switch_to.default_content()


def test_a_mark_in_a_name_is_visible_in_forced_colors(driver: Any, tmp_path: Path) -> None:
    """It had the colour of its background, and a name that reverses the text looked like one with a blank."""
    shown(driver, tmp_path, [entry("a\u202efdp.exe")])
    try:
        features = [{"name": "forced-colors", "value": "active"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        mark = driver.find_element(By.CSS_SELECTOR, ".odd")
        assert mark.value_of_css_property("color") == links(driver)[0].value_of_css_property("color")
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_failed_copy_is_not_reported_as_copied(driver: Any, tmp_path: Path) -> None:
    """As in a frame without the right to copy, such as a preview."""
    shown(driver, tmp_path, [entry("a.pdf")])
    record_copies(driver, works=False)
    driver.find_element(By.ID, "all").click()
    driver.find_element(By.ID, "links").click()
    assert text(driver, "told").startswith("This browser lets the page copy nothing")
