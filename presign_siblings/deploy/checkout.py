"""Where the checkout lies: what the package for Lambda and the stack are made from."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
