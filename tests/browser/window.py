"""A browser window on the Dagster web UI: opens its pages and finds elements by the words that a person reads.

Nothing here sleeps: every look waits until the page shows the element, or fails and names what is missing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_DRIVER = Path("/usr/bin/chromedriver")
"""Where Debian's packages `chromium` and `chromium-driver` put them."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1100",
)

PATIENCE_SECONDS = 60
"""Far more than a page needs: the machine may be busy with other tests."""

Seen = TypeVar("Seen")


@contextmanager
def browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """Headless Chromium with an empty profile, driven by its own driver."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(CHROMIUM_DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


class Window:
    """One window on the web UI at `address`."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self._driver = driver
        self._address = address

    def open(self, path: str) -> None:
        self._driver.get(f"{self._address}{path}")

    def wait_until(self, look: Callable[[], Seen | None], what: str) -> Seen:
        """What `look` finds, as soon as it finds something. The page may be redrawn at any moment."""
        waiting = WebDriverWait(self._driver, PATIENCE_SECONDS, 0.2, (StaleElementReferenceException,))
        try:
            return waiting.until(lambda _: look())
        except TimeoutException:
            raise AssertionError(f"{self._driver.current_url} never showed {what}") from None

    def all_of(self, xpath: str) -> list[WebElement]:
        """All elements at this place now, visible or not."""
        return self._driver.find_elements(By.XPATH, xpath)

    def find(self, xpath: str, what: str) -> WebElement:
        """The first visible element at this place, as soon as there is one."""
        return self.wait_until(
            lambda: next((found for found in self.all_of(xpath) if found.is_displayed()), None), what
        )

    def sees(self, text: str) -> WebElement:
        """The innermost element with exactly this text."""
        return self.find(f"//*[normalize-space(text())={quoted(text)}]", repr(text))

    def reads(self, text: str) -> str:
        """The whole text of the page, as soon as it contains this."""
        return self.wait_until(lambda: self._text_with(text), repr(text))

    def press(self, label: str) -> None:
        """Click the button whose label begins with this, as soon as it can be clicked."""
        xpath = f"//button[starts-with(normalize-space(), {quoted(label)})]"

        def enabled() -> WebElement | None:
            shown = [button for button in self.all_of(xpath) if button.is_displayed() and button.is_enabled()]
            return shown[-1] if shown else None

        self.wait_until(enabled, f"a button {label!r} to press").click()

    def type_in(self, xpath: str, text: str) -> None:
        """Fill in a field and press Enter."""
        field = self.find(xpath, "a field to fill in")
        field.send_keys(text, Keys.ENTER)

    def loaded_images(self, xpath: str) -> list[WebElement]:
        """The images at this place, as soon as the browser has drawn every one of them."""

        def loaded() -> list[WebElement] | None:
            images = self.all_of(xpath)
            return images if images and all(self._width_of(image) > 0 for image in images) else None

        return self.wait_until(loaded, "images that have loaded")

    def keep_picture(self, path: Path) -> None:
        """Save a screenshot of the window as it is now."""
        self._driver.save_screenshot(str(path))

    def _width_of(self, image: WebElement) -> int:
        """0 if the browser could not read the image."""
        script = "return arguments[0].complete ? arguments[0].naturalWidth : 0"
        return int(self._driver.execute_script(script, image))

    def _text_with(self, text: str) -> str | None:
        whole = self._driver.find_element(By.TAG_NAME, "body").text
        return whole if text in whole else None


def quoted(text: str) -> str:
    """The text as an XPath literal."""
    assert '"' not in text
    return f'"{text}"'
