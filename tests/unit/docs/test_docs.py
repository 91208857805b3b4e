"""The documentation matches the code."""

from __future__ import annotations

import ast
import json
import re
import shlex
from dataclasses import fields
from typing import TYPE_CHECKING

import click
import pytest

from dev import reference
from dev.checkout import REPOSITORY
from presign_siblings.cli.main import COMMANDS, main
from presign_siblings.errors import EXIT_CODES, UNFINISHED
from presign_siblings.laptop.local_fan_out import EFFORT
from presign_siblings.manifests.refusals import ADVICE
from processor.chain import Status
from processor.chain.result import result_of
from processor.job import DEFAULT_NAMESPACE, Counts, DeploymentSettings, EncodedBytes, Job
from processor.ledger import RESUMABLE
from processor.ledger.claim import FINAL_REASONS
from processor.reporting import METRICS
from processor.reporting.completion_event import detail
from processor.reporting.metrics import emf
from processor.reporting.url_expiry import EXPIRED, EXPIRING
from tests.builders import run_of
from tests.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

README, CONTRIBUTING = REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"
DOCS = REPOSITORY / "docs"
REFERENCE = DOCS / "reference"
ENVIRONMENT, ANSWER, LOGS = REFERENCE / "environment.md", REFERENCE / "answer.md", REFERENCE / "logs.md"
DOCUMENTS = [README, CONTRIBUTING, REPOSITORY / "CHANGELOG.md", REPOSITORY / "config" / "README.md"]
DOCUMENTS += sorted(DOCS.rglob("*.md"))
README_WORDS = 1200
LEVELS = {"event": "info", "warning": "warning", "error": "error"}
SPEAKERS = {"telemetry", "self"}  # the names of ``Telemetry`` in the code


def rows(document: Path) -> Iterator[list[str]]:
    """Yield the cells of every row of every table."""
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def named(cell: str) -> str:
    """Return the name in a cell, without its backticks."""
    return cell.strip("` ")


class Asked(dict[str, str]):
    """An empty environment that records the names that are read."""

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
    """Return the variables that the modules of a folder read from ``os.environ`` themselves."""
    calls = (
        node for node in nodes(folder) if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.get"
    )
    return {str(call.args[0].value) for call in calls if isinstance(call.args[0], ast.Constant)}


def test_the_readme_stays_short() -> None:
    """A newcomer reads it whole; the details are in ``docs/``."""
    assert len(README.read_text(encoding="utf-8").split()) <= README_WORDS


def test_the_readme_has_the_latest_measured_speed() -> None:
    """Rounded, so that not every `make bench` changes it."""
    goals = {row[0]: row[2] for row in rows(DOCS / "measurements" / "bench.md") if len(row) == 4}
    for pattern, goal in (
        (r"about (\d+) times as fast as\s+botocore", "signing, times botocore"),
        (r"about (\d+) times\s+as fast as the handler", "job with gzip, times the seed's handler (aioboto3)"),
    ):
        found = re.search(pattern, README.read_text(encoding="utf-8"))
        assert found, pattern
        assert float(found[1]) == pytest.approx(float(goals[goal].split()[0]), rel=0.1), goal


@pytest.mark.parametrize("document", [README, DOCS / "tutorial.md"], ids=lambda path: path.name)
def test_the_first_page_of_links_outlives_the_mail_that_brings_it(document: Path) -> None:
    """Without the option, links of ``run`` live for minutes; a newcomer learns this before the recipient does."""
    text = document.read_text(encoding="utf-8")
    first = text[: text.index("export manifest.jsonl --as html")]
    assert "presign-siblings run s3://reports/inbox/ --expiry-seconds 12h\n" in first
    default = next(str(field.default) for field in fields(Job) if field.name == "expiry_seconds")
    assert f"{int(default) // 60} minutes" in " ".join(text.split())


@pytest.mark.parametrize("page", [reference.EVENT, reference.COMMANDS], ids=lambda path: path.name)
def test_the_generated_parts_of_a_page_match_the_code(page: Path) -> None:
    """``python -m dev.reference`` writes them again."""
    text = page.read_text(encoding="utf-8")
    assert reference.with_made_parts(text) == text


def test_the_generated_tables_have_the_facts() -> None:
    """An empty page would also match a generator without output."""
    assert "| `page_size` | `PAGE_SIZE` | `1000` | 1 to 1000 |" in reference.EVENT.read_text(encoding="utf-8")
    commands = reference.COMMANDS.read_text(encoding="utf-8")
    assert f"| {UNFINISHED} | {EXIT_CODES[UNFINISHED]} |" in commands
    assert all(f"\n## {name}\n" in commands for name in COMMANDS)
    assert commands.count("`--region NAME`") == 1, "an option of every command has one row"
    assert commands.count("`--resume`") == 2, "one for run, one for refresh"


def test_every_environment_variable_that_the_function_reads_is_in_a_table() -> None:
    """An operator who deploys without the template finds them all."""
    asked = Asked()
    deployment = DeploymentSettings.from_environment(asked, {})
    Job.from_event({"bucket": "reports"}, config={}, environment=asked, deployment=deployment, now=NOW)
    documented = {named(cell) for page in (ENVIRONMENT, reference.EVENT) for row in rows(page) for cell in row[:2]}
    assert "MAX_HOPS" in asked.names
    assert asked.names | read_directly("processor") <= documented


def test_every_environment_variable_of_the_laptop_tools_is_mentioned() -> None:
    """PATH needs no mention."""
    text = ENVIRONMENT.read_text(encoding="utf-8")
    assert not {
        name for name in (read_directly("presign_siblings") | read_directly("dev")) - {"PATH"} if name not in text
    }


def test_the_documented_defaults_of_the_deployment_are_those_of_the_code() -> None:
    """A number changed in the code must be changed for the reader."""
    deployment = DeploymentSettings.from_environment({}, {})
    written = {named(row[0]): named(row[1]) for row in rows(ENVIRONMENT) if len(row) == 3}
    for name in ("MAX_HOPS", "MAX_JOB_SECONDS", "SHUTDOWN_PERIOD"):
        assert float(written[name]) == getattr(deployment, name.lower()), name
    assert float(written["QUEUE_MAX"]) == deployment.keys_ahead(4)
    assert written["METRICS_NAMESPACE"] == DEFAULT_NAMESPACE


def test_every_command_has_its_row_in_the_guide() -> None:
    """A newcomer chooses from this table."""
    table = list(rows(DOCS / "guides" / "command-line.md"))
    assert {named(row[0]).split()[0] for row in table} - {"command", "---"} == set(COMMANDS)


def test_the_guide_has_the_number_of_pages_that_a_division_samples() -> None:
    """A laptop divides a run among its processes."""
    guide = (DOCS / "guides" / "command-line.md").read_text(encoding="utf-8")
    sentence = f"A look at {EFFORT.least} short pages ({EFFORT.requests} a process, where that is more)"
    assert sentence in " ".join(guide.split())


def printed_commands(document: Path) -> Iterator[list[str]]:
    """Yield the words of each ``presign-siblings`` command in a document's blocks, up to a pipe or a redirection."""
    for block in re.findall(r"^```.*?\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.search(r"(?:^|[|:] )presign-siblings (.*)", line)
            if found is not None:
                yield shlex.split(re.split(r" (?:[|>]|&&) |  {2,}", found[1])[0], comments=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_printed_command_has_the_options_that_it_needs(document: Path) -> None:
    """A reader who copies it would find out."""
    parent = click.Context(main, **main.context_settings)
    for name, *words in printed_commands(document):
        if name in COMMANDS and "[OPTIONS]" not in words:
            command = main.get_command(parent, name)
            assert command is not None
            given = command.make_context(name, words, parent).params
            assert name != "deploy" or given["bucket"] or given["delete"], words


def test_every_answer_has_its_row() -> None:
    """With the fields of the body; ``manifest_url`` comes last, once sosw has logged the rest."""
    table = {named(row[1]): {"status", *re.findall(r"`(\w+)`", row[2])} for row in rows(ANSWER) if row[0].isdigit()}
    codes = {named(row[1]): int(row[0]) for row in rows(ANSWER) if row[0].isdigit()}
    assert codes == {status.value: status.code for status in Status}
    assert table["complete"] >= {"manifest_url"}
    table["complete"] -= {"manifest_url"}
    assert table == answers()


def answers() -> dict[str, set[str]]:
    """Return the bodies that the code writes: their fields by their status."""
    literals = (node for node in nodes("processor") if isinstance(node, ast.Dict) and node.keys)
    bodies = (
        {str(constant(key)): value for key, value in zip(each.keys, each.values, strict=True)} for each in literals
    )
    named_status = ((body, body.get("status")) for body in bodies)
    return {Status[word.attr].value: set(body) for body, word in named_status if isinstance(word, ast.Attribute)}


def test_every_code_that_verify_explains_has_its_row() -> None:
    """A reader who searches the documents for a code of S3 finds it."""
    page = (DOCS / "guides/when-a-link-fails.md").read_text(encoding="utf-8")
    assert [code for code in ADVICE if not code.startswith("HTTP ") and f"`{code}`" not in page] == []


def test_every_reason_of_a_guard_has_its_row() -> None:
    """An operator looks up the word in the log."""
    documented = {named(name.partition(":")[0]) for row in rows(ANSWER) for name in row[0].split(", ")}
    assert reasons() | RESUMABLE >= FINAL_REASONS | {"rules_unknown", "sibling_refused"}
    assert reasons() | RESUMABLE <= documented


def test_the_last_five_rows_are_the_reasons_after_which_a_submission_continues() -> None:
    """A job that was ``forgotten`` has no record that a submission could continue."""
    cells = [row[0] for row in rows(ANSWER)]
    table = [set(re.findall(r"`(\w+)", cell)) for cell in cells[cells.index("`reason`") + 1 :]]
    assert set().union(*table[:-5]) == FINAL_REASONS | {"forgotten"}


def reasons() -> set[str]:
    """Return the words that the guards and the invoke return, without what follows a colon."""
    returned = (text for node in nodes("processor/siblings") if isinstance(node, ast.Return) for text in texts(node))
    return {word[1] for each in returned if (word := re.fullmatch(r"([a-z]+(?:_[a-z]+)+|stopped)(?:: )?", each))}


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts of an expression, without those that it calls or looks up with."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if not isinstance(node, (ast.Call, ast.Subscript)):
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def test_every_event_of_the_log_has_its_row() -> None:
    """None that the code never logs, none missing; with the code's level."""
    documented = {named(name): row[1] for row in list(rows(LOGS))[1:] for name in row[0].split(", ")}
    assert documented == {"page": "debug", EXPIRED: "warning", EXPIRING: "warning", **logged()}


def test_every_field_of_the_event_on_the_bus_is_listed() -> None:
    """A rule filters on them; ``page_key`` and the like where the answer has them."""
    run = run_of()
    result = result_of(run, Counts(), EncodedBytes())
    page = " ".join(ANSWER.read_text(encoding="utf-8").split())
    listed = page.partition("Its `detail` has ")[2].partition(". ")[0]
    always, _, sometimes = listed.partition(", and `page_key`")
    assert set(re.findall(r"`(\w+)`", always)) == set(detail(run, result)) - {"warning"}
    assert set(re.findall(r"`(\w+)`", sometimes)) == {"archived", "skipped", "probe", "warning"}


def test_every_field_of_a_log_line_is_in_its_row() -> None:
    """Behind the colon, so that a query can be written from the table; ``complete`` has those of the answer, too."""
    says = {named(name): row[2] for row in list(rows(LOGS))[1:] for name in row[0].split(", ")}
    fields = {
        name: set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", text.partition(": ")[2])))
        for name, text in says.items()
    }
    written: dict[str, set[str]] = {name: set() for name in logged()}
    for name, call in log_calls():
        written[name] |= {each.arg for each in call.keywords if each.arg}
    assert {name: fields[name] - {"size", "crc32"} for name in written} == written


def logged() -> dict[str, str]:
    """Return the events that the processor logs by name, with their levels."""
    return {name: LEVELS[call.func.attr] for name, call in log_calls() if isinstance(call.func, ast.Attribute)}


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls by which the processor logs an event, with its name."""
    for call in nodes("processor"):
        if (
            isinstance(call, ast.Call)
            and call.args
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in LEVELS
            and ast.unparse(call.func.value).lstrip("_").removeprefix("self._").removeprefix("self.") in SPEAKERS
            and (name := constant(call.args[0])) is not None
        ):
            yield str(name), call


def nodes(folder: str) -> Iterator[ast.AST]:
    """Yield every node of the modules of a folder."""
    for path in (REPOSITORY / folder).rglob("*.py"):
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def constant(node: ast.AST | None) -> object:
    """Return the value of a literal, and ``None`` for any other node."""
    return node.value if isinstance(node, ast.Constant) else None


def test_every_metric_has_its_row_and_its_unit() -> None:
    """Alarms depend on the names."""
    table = {named(row[0]): row[1] for row in list(rows(REFERENCE / "metrics.md"))[1:]}
    assert set(table) == set(METRICS)
    printed = json.loads(emf("PresignSiblings", "f", dict.fromkeys(METRICS, 0.0)))
    units = {each["Name"]: each["Unit"].lower() for each in printed["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert table == units


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_make_target_in_a_document_exists(document: Path) -> None:
    """Each command can be pasted."""
    targets = set(re.findall(r"^([a-z0-9]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    mentioned = set(re.findall(r"(?:`|^)make ([a-z0-9]+)", document.read_text(encoding="utf-8"), re.MULTILINE))
    assert mentioned <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_file_in_a_document_exists(document: Path) -> None:
    """In the repository; a test's name may follow the path."""
    packages = r"(?:processor|presign_siblings|dev|tests|docs|cloudformation|config|benchmarks|requirements)"
    named = re.findall(rf"`({packages}/[\w./-]+)", document.read_text(encoding="utf-8"))
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


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
    """Return the Python examples of the guide."""
    text = (DOCS / "guides" / "python.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_signing_example_works() -> None:
    """As in the guide: signing needs no network."""
    (example,) = [block for block in python_blocks() if "open_signer" in block]
    names: dict[str, list[str]] = {}
    exec(example, names)  # noqa: S102 - our own guide
    first, second = names["urls"]
    assert first.startswith("https://reports.s3.eu-west-1.amazonaws.com/2026/a%20b.pdf?X-Amz-Algorithm=")
    assert "/r%C3%A9sum%C3%A9.pdf?" in second.replace("/2026/", "/")


def test_the_pytest_example_uses_existing_fixtures() -> None:
    """A reader pastes it into a file under ``tests/integration``."""
    (example,) = [block for block in python_blocks() if "def test_" in block]
    conftests = [REPOSITORY / "tests" / "conftest.py", REPOSITORY / "tests" / "integration" / "conftest.py"]
    defined = {name for path in conftests for name in functions(path.read_text(encoding="utf-8"))}
    assert {name for names in functions(example).values() for name in names} <= defined


def functions(source: str) -> dict[str, list[str]]:
    """Return the functions of a module, with the names of their arguments."""
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {node.name: [argument.arg for argument in node.args.args] for node in found}
