"""Take the picture of the tester: a run with a kill, and beside it the seed's handler, which has died."""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium.webdriver.common.by import By

from dev.checkout import REPOSITORY
from tests.browser import browser, resize, started

PICTURE = REPOSITORY / "docs" / "images" / "tester.png"
WIDTH, HEIGHT = 1600, 1180
FIELDS = {"page_size": "6", "kept_free": "1.6", "kill_hops": "2"}
PDFS = 3000
COLOURS = 128


def main() -> None:
    """Run, and write the picture."""
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as driver, started() as (url, _):
        resize(driver, WIDTH, HEIGHT)
        driver.get(url)

        def wait(name: str, *texts: str) -> None:
            while not any(text in driver.find_element(By.ID, name).text for text in texts):
                time.sleep(0.2)

        wait("status", "ready")
        driver.find_element(By.ID, "count").submit()
        wait("held", f"{PDFS + 6:,}")
        for name, value in FIELDS.items():
            driver.find_element(By.ID, name).clear()
            driver.find_element(By.ID, name).send_keys(value)
        driver.find_element(By.ID, "run").click()
        wait("status", "complete")
        wait("seed-says", "died", "complete")
        time.sleep(2)  # the last lines of the log
        driver.execute_script("document.getElementById('hops').scrollTop = 0; document.activeElement.blur()")
        shot = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    shot.quantize(COLOURS).save(PICTURE, optimize=True)
    print(f"{PICTURE.relative_to(REPOSITORY)}  {PICTURE.stat().st_size / 1e3:.0f} kB")  # noqa: T201 - its only output


if __name__ == "__main__":
    main()
