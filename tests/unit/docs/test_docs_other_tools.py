"""The examples for other tools as on the page; Spark's runs only where Spark is installed."""

from __future__ import annotations

import ast
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from dev.checkout import REPOSITORY
from presign_siblings.deploy import template
from tests.programs import program

PAGE = (REPOSITORY / "docs" / "guides" / "other-tools.md").read_text(encoding="utf-8")
KEYS = [f"inbox/2026/{number:03}.pdf" for number in range(40)] + ["other/é.pdf"]


def block(after: str, language: str) -> str:
    """Return the first block of a language after some words of the page."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE.partition(after)[2], re.MULTILINE | re.DOTALL)
    assert found, f"no {language} after {after}"
    return found[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a manifest, plain and gzip."""
    text = "".join(json.dumps({"key": key, "url": f"https://x/{key}?X-Amz-Signature=0"}) + "\n" for key in KEYS)
    (tmp_path / "manifest.jsonl").write_text(text)
    (tmp_path / "manifest.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path


def python(library: str) -> str:
    """
    Return an interpreter with a library: that of the libraries' own environment, or the current one.

    In CI a missing library fails the test; only pyspark, of 300 MB, is not installed there.
    """
    for interpreter in (str(REPOSITORY / ".venv-tools" / "bin" / "python"), sys.executable):
        tried = [interpreter, "-c", f"from importlib.util import find_spec; exit(find_spec({library!r}) is None)"]
        if Path(interpreter).exists() and not subprocess.run(tried, check=False).returncode:
            return interpreter
    if os.environ.get("CI") and library != "pyspark":
        pytest.fail(f"{library} is not installed, and CI must have it")
    pytest.skip(f"{library} is not installed: make environments" + (" and pip install it" * (library == "pyspark")))


def run(folder: Path, *command: str) -> list[str]:
    """Run a command in a folder; return its lines."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_jq_and_the_shell_read_a_manifest(folder: Path) -> None:
    """Three commands: all URLs, some keys with theirs, a count."""
    for name in ("jq", "zcat"):
        program(name)
    lines = run(folder, "/bin/bash", "-c", block("Shell and jq", "sh"))
    assert [line for line in lines[:3] if line.startswith("https://x/inbox/2026/00")] == lines[:3]
    assert (lines[3].split("\t")[0], len(lines), lines[-1].strip()) == (KEYS[0], 3 + 40 + 1, "41")


@pytest.mark.parametrize(
    ("after", "library", "last"),
    [
        ("Python, with nothing", "json", f"{KEYS[-1]} {len('https://x/?X-Amz-Signature=0') + len(KEYS[-1])}"),
        ("pandas, a part", "pandas", f"41 {KEYS[0]}"),
        ("polars, which", "polars", "41"),
        ("Spark, on each", "pyspark", "40"),
    ],
)
def test_python_and_its_libraries_read_a_manifest(folder: Path, after: str, library: str, last: str) -> None:
    """Completely, and in order."""
    assert run(folder, python(library), "-c", block(after, "python"))[-1] == last


def test_duckdb_reads_a_manifest(folder: Path) -> None:
    """A count for each folder."""
    asked = f"import duckdb; print(duckdb.sql({block('duckdb, which', 'sql')!r}).fetchall())"
    assert run(folder, python("duckdb"), "-c", asked)[-1] == "[('inbox', 40), ('other', 1)]"


def test_the_examples_use_existing_parameters_of_the_template() -> None:
    """For Terraform, SAM and CDK; the template's own required ones are among them."""
    sam = yaml.safe_load(block("AWS SAM", "yaml"))["Resources"]["PresignSiblings"]["Properties"]["Parameters"]
    called = next(
        node
        for node in ast.walk(ast.parse(block("AWS CDK", "python")))
        if isinstance(node, ast.keyword) and node.arg == "parameters"
    )
    cdk = ast.literal_eval(called.value)
    (body,) = re.findall(r"parameters = \{\n(.*?)\n  \}", block("Terraform", "hcl"), re.DOTALL)
    terraform = dict(re.findall(r'(\w+) += "([^"]*)"', body))
    assert sam == cdk == terraform
    known = template.load()["Parameters"]
    assert set(sam) <= set(known)
    assert {name for name, each in known.items() if "Default" not in each} <= set(sam)


def test_terraforms_example_is_valid_hcl(tmp_path: Path) -> None:
    """By its parser."""
    parsed = f"import hcl2; print(hcl2.loads({block('Terraform', 'hcl')!r}))"
    assert "presign_siblings" in run(tmp_path, python("hcl2"), "-c", parsed)[-1]


def test_the_cdk_example_makes_a_template(tmp_path: Path) -> None:
    """With the stack and its parameters."""
    program("node")
    environment = os.environ | {"CDK_OUTDIR": str(tmp_path)}
    subprocess.run([python("aws_cdk"), "-c", block("AWS CDK", "python")], env=environment, check=True)
    made = json.loads((tmp_path / "Reports.template.json").read_text())["Resources"]["PresignSiblings"]
    assert (made["Type"], made["Properties"]["Parameters"]["Prefix"]) == ("AWS::CloudFormation::Stack", "inbox/")


def test_cfn_lint_accepts_the_sam_example(tmp_path: Path) -> None:
    """It supports SAM's transform."""
    (tmp_path / "template.yaml").write_text(block("AWS SAM", "yaml"))
    run(tmp_path, str(REPOSITORY / ".venv" / "bin" / "cfn-lint"), "--regions", "eu-west-1", "--", "template.yaml")


def test_the_workflow_uses_existing_commands_and_options() -> None:
    """By the command line itself."""
    steps = yaml.safe_load(block("GitHub Actions", "yaml"))["jobs"]["manifest"]["steps"]
    (called,) = [step["run"] for step in steps if "presign-siblings" in step.get("run", "")]
    run(REPOSITORY, sys.executable, "-m", *called.replace("presign-siblings", "presign_siblings").split(), "--help")
