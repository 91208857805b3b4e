"""The tester's page is readable in light and dark, and loads nothing from elsewhere."""

from __future__ import annotations

import re

import pytest

from dev.tester.routes import STATIC

STYLE = (STATIC / "tester.css").read_text(encoding="utf-8")
PAGE = (STATIC / "index.html").read_text(encoding="utf-8")
TEXT = ("ink", "quiet", "accent", "complete", "parked", "killed", "retry", "ended")
SCHEMES = ("light", "dark")
READABLE, VISIBLE = 4.5, 3.0  # WCAG 2.2: contrast of text (1.4.3), and of other elements (1.4.11)


def colours(scheme: str) -> dict[str, str]:
    """Return the custom properties of a scheme."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light if scheme == "light" else dark))


def luminance(colour: str) -> float:
    """Return WCAG's relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return WCAG's contrast ratio."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_has_enough_contrast(scheme: str) -> None:
    """On cards, on the page itself, and on the button."""
    found = colours(scheme)
    low = {
        (name, ground): contrast(found[name], found[ground])
        for name in TEXT
        for ground in ("card", "page", "wash")
        if contrast(found[name], found[ground]) < READABLE
    }
    assert low == {}
    assert contrast(found["on-accent"], found["accent"]) >= READABLE


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_edge_of_a_field_has_enough_contrast(scheme: str) -> None:
    """A field is recognised by its edge."""
    found = colours(scheme)
    assert min(contrast(found["edge"], found[ground]) for ground in ("card", "field")) >= VISIBLE


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere_and_no_data_becomes_markup(path: object) -> None:
    """A key may have ``<script>``; a laptop may be offline."""
    text = (STATIC / str(path)).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"<[a-z][^>]*\s(style|on[a-z]+)=", text)  # the content security policy would block them


def test_the_animation_is_off_for_users_who_want_reduced_motion() -> None:
    """The page has one animation."""
    assert "prefers-reduced-motion: reduce" in STYLE


def test_the_form_begins_with_a_job_too_long_for_one_lambda() -> None:
    """The emulator answers fewer than 200 requests a second; a hop on a busy machine has time for its hand-over."""
    form = {name: int(value) for name, value in re.findall(r'id="(\w+)" name="\w+" [^>]*value="(\d+)"', PAGE)}
    assert form["count"] / form["page_size"] > 200 * form["timeout"]
    assert form["kept_free"] >= 4
    assert form["timeout"] > form["kept_free"]
