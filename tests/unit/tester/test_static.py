"""The tester's page as a file: readable in light and dark, with nothing from elsewhere."""

from __future__ import annotations

import re

import pytest

from dev.tester.routes import STATIC

STYLE = (STATIC / "tester.css").read_text(encoding="utf-8")
PAGE = (STATIC / "index.html").read_text(encoding="utf-8")
TEXT = ("ink", "quiet", "accent", "complete", "parked", "killed", "retry", "ended")
SCHEMES = ("light", "dark")
READABLE, VISIBLE = 4.5, 3.0  # WCAG 2.2: contrast of text (1.4.3), and of what is no text (1.4.11)


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
def test_every_text_can_be_read(scheme: str) -> None:
    """On cards and on the page itself, and on the button."""
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
def test_the_edge_of_a_field_can_be_seen(scheme: str) -> None:
    """A field is known by its edge."""
    found = colours(scheme)
    assert min(contrast(found["edge"], found[ground]) for ground in ("card", "field")) >= VISIBLE


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere_and_no_markup_is_made_of_data(path: object) -> None:
    """A key may hold ``<script>``; a laptop may be offline."""
    text = (STATIC / str(path)).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"<[a-z][^>]*\s(style|on[a-z]+)=", text)  # the policy would forbid them


def test_whoever_wants_no_motion_gets_none() -> None:
    """The one animation is off then."""
    assert "prefers-reduced-motion: reduce" in STYLE


def test_the_form_begins_with_what_one_lambda_cannot_do() -> None:
    """The emulator answers fewer than 200 requests a second; a hop on a busy machine has time for its hand-over."""
    form = {name: int(value) for name, value in re.findall(r'id="(\w+)" name="\w+" [^>]*value="(\d+)"', PAGE)}
    assert form["count"] / form["page_size"] > 200 * form["timeout"]
    assert form["kept_free"] >= 4
    assert form["timeout"] > form["kept_free"]
