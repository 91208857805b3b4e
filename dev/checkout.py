"""The folder of the checkout, and what developers' commands leave in it."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = REPOSITORY / ".work" / "package"  # kept between runs, as `make clean` knows
