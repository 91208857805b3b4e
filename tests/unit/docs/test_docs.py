"""README and CONTRIBUTING say what the code does."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from dev import reference
from dev.checkout import REPOSITORY
from presign_siblings.cli.main import COMMANDS
from presign_siblings.errors import EXIT_CODES
from processor.job import DeploymentSettings, Job
from processor.reporting import METRICS
from tests.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

README, CONTRIBUTING = REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"
DOCUMENTS = [README, CONTRIBUTING, REPOSITORY / "CHANGELOG.md", REPOSITORY / "config" / "README.md"]
DOCUMENTS += sorted((REPOSITORY / "docs").rglob("*.md"))


def rows(document: Path) -> Iterator[list[str]]:
    """Yield the cells of every row of every table."""
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def named(cell: str) -> str:
    """Return the name in a cell, without its backticks."""
    return cell.strip("` ")


class Asked(dict[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        self.names.add(name)
        return default

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return False


def read_directly(folder: str) -> set[str]:
    """Return the variables that the modules of a folder take from ``os.environ`` themselves."""
    calls = (
        node
        for path in (REPOSITORY / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.get"
    )
    return {str(call.args[0].value) for call in calls if isinstance(call.args[0], ast.Constant)}


def test_the_reference_page_says_what_the_table_of_the_fields_says() -> None:
    """``python -m dev.reference`` writes it anew."""
    page = reference.EVENT.read_text(encoding="utf-8")
    assert reference.with_tables(page) == page
    assert "| `page_size` | `PAGE_SIZE` | `1000` | 1 to 1000 |" in page


def test_every_environment_variable_that_the_function_reads_is_in_a_table() -> None:
    """Whoever deploys otherwise than by the template finds them all."""
    asked = Asked()
    deployment = DeploymentSettings.from_environment(asked, {})
    Job.from_event({"bucket": "reports"}, config={}, environment=asked, deployment=deployment, now=NOW)
    documented = {named(cell) for page in (README, reference.EVENT) for row in rows(page) for cell in row[:2]}
    assert "MAX_HOPS" in asked.names
    assert asked.names | read_directly("processor") <= documented


def test_every_environment_variable_of_the_laptop_tools_is_mentioned() -> None:
    """PATH is nobody's news."""
    text = README.read_text(encoding="utf-8") + CONTRIBUTING.read_text(encoding="utf-8")
    assert not {
        name for name in (read_directly("presign_siblings") | read_directly("dev")) - {"PATH"} if name not in text
    }


def test_defaults_of_the_deployment_stand_in_the_table() -> None:
    """A number that is changed in the code is changed for the reader."""
    deployment = DeploymentSettings.from_environment({}, {})
    written = {named(row[0]): named(row[1]) for row in rows(README) if len(row) == 3}
    for name in ("MAX_HOPS", "MAX_JOB_SECONDS", "SHUTDOWN_PERIOD"):
        assert float(written[name]) == getattr(deployment, name.lower()), name
    assert float(written["QUEUE_MAX"]) == deployment.keys_ahead(4)
    assert written["METRICS_NAMESPACE"] == deployment.metrics_namespace


def test_every_command_and_exit_code_of_the_desk_has_its_row() -> None:
    """A script is written from these tables."""
    table = list(rows(README))
    codes = {int(row[0]): named(row[1]) for row in table if row[0].isdigit() and len(row) == 2 and int(row[0]) < 200}
    assert codes == {code: meaning.strip("` ") for code, meaning in EXIT_CODES.items()}
    assert {named(row[0]).split()[0] for row in table if named(row[0]).split()[0:1]} >= set(COMMANDS)


def test_every_metric_is_named() -> None:
    """An alarm is built on names."""
    text = README.read_text(encoding="utf-8")
    assert not [metric for metric in METRICS if f"`{metric}`" not in text]


@pytest.mark.parametrize("document", [README, CONTRIBUTING], ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    """Each command can be pasted."""
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    mentioned = set(re.findall(r"(?:`|^)make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE))
    assert mentioned
    assert mentioned <= targets


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_into_the_repository_resolves(document: Path) -> None:
    """Files, pictures and headings."""
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, heading = target.partition("#")
        linked = document.parent / path if path else document
        assert linked.exists(), target
        headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE) if heading else []
        assert not heading or heading in map(anchor, headings), target


def python_blocks() -> list[str]:
    """Return the README's Python examples."""
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_signing_example_signs() -> None:
    """As it stands in the README: signing needs no network."""
    (example,) = [block for block in python_blocks() if "open_signer" in block]
    names: dict[str, list[str]] = {}
    exec(example, names)  # noqa: S102 - our own README
    first, second = names["urls"]
    assert first.startswith("https://reports.s3.eu-west-1.amazonaws.com/2026/a%20b.pdf?X-Amz-Algorithm=")
    assert "/r%C3%A9sum%C3%A9.pdf?" in second.replace("/2026/", "/")


def test_the_pytest_example_uses_fixtures_that_exist() -> None:
    """It is pasted into a file under ``tests/integration``."""
    (example,) = [block for block in python_blocks() if "def test_" in block]
    conftests = [REPOSITORY / "tests" / "conftest.py", REPOSITORY / "tests" / "integration" / "conftest.py"]
    defined = {name for path in conftests for name in functions(path.read_text(encoding="utf-8"))}
    assert {name for names in functions(example).values() for name in names} <= defined


def functions(source: str) -> dict[str, list[str]]:
    """Return the functions of a module, with the names of their arguments."""
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {node.name: [argument.arg for argument in node.args.args] for node in found}
