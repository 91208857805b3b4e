"""What the package can be built for."""

from __future__ import annotations

from pathlib import Path

_LOCKS = Path(__file__).parent / "requirements"
# By the major version of sosw; the locks differ in sosw alone.
LOCKS = {"0": _LOCKS / "lambda.txt", "3": _LOCKS / "lambda-sosw3.txt"}
# Further locks that some deployments need, by the name of this package's extra.
EXTRAS = {"cloudfront": _LOCKS / "lambda-cloudfront.txt"}
ARCHITECTURES = {"arm64": "aarch64", "x86_64": "x86_64"}
RUNTIMES = ("python3.11", "python3.12", "python3.13")
DEFAULT_ARCHITECTURE, DEFAULT_RUNTIME, DEFAULT_SOSW = "arm64", RUNTIMES[-1], "0"
