"""The architecture: imports go only to lower layers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROCESSOR = Path(__file__).parents[2] / "processor"
LAYERS = (
    ("errors",),
    ("rules", "context", "patience", "switch", "wheel", "stretch", "stride", "throttle"),
    ("deployment", "keyspace", "coverage"),
    ("job", "trail"),
    ("checkpoint", "guess", "gaps"),
    ("continuation", "ranges"),
    ("sigv4", "encoding", "page", "telemetry", "record", "messages"),
    ("listing", "presign", "manifest", "siblings", "store", "clients", "triggers", "ledger", "expiry"),
    ("handover", "readers", "lease", "signing", "announce", "batch"),
    ("pipeline",),
    ("answers",),
    ("work",),
    ("hop",),
    ("app",),
)
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}


def imported(module: str) -> set[str]:
    """Return the project modules that a module imports, for types too."""
    tree = ast.parse((PROCESSOR / f"{module}.py").read_text())
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "processor":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("processor."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("processor.")}
    return names


def test_every_module_has_a_layer() -> None:
    """A new module takes its place in the map, here and in CONTRIBUTING."""
    assert {path.stem for path in PROCESSOR.glob("*.py")} - {"__init__"} == set(RANK)


@pytest.mark.parametrize("module", sorted(RANK))
def test_a_module_imports_only_lower_layers(module: str) -> None:
    """Modules of one layer never import each other, so each can be read and replaced alone."""
    assert not {name for name in imported(module) if RANK[name] >= RANK[module]}


@pytest.mark.parametrize("module", sorted(RANK))
def test_nothing_of_the_laptop_reaches_the_lambda(module: str) -> None:
    """The package in Lambda holds ``processor`` alone."""
    source = (PROCESSOR / f"{module}.py").read_text()
    roots = {
        (node.module or "").split(".")[0] for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
    }
    assert not roots & {"presign_siblings", "dev", "tests", "benchmarks", "rich", "aiofiles"}


def test_only_the_app_touches_sosw_and_the_environment() -> None:
    """Everything else can be used without Lambda: on a laptop, in a test, in a benchmark."""
    for module in set(RANK) - {"app", "siblings"}:
        source = (PROCESSOR / f"{module}.py").read_text()
        assert "os.environ" not in source, module
        assert "import sosw" not in source, module
        assert "from sosw" not in source, module
