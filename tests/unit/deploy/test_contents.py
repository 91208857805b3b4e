"""The contents of a Lambda zip: its bill of materials and its licences, the same each time."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource

from presign_siblings.cli.main import main
from presign_siblings.deploy import contents, package


def zipped(tmp_path: Path, *metadata: str) -> Path:
    """Write a Lambda zip whose packages have this metadata."""
    archive = tmp_path / "lambda.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("processor/app.py", "")
        for number, text in enumerate(metadata):
            file.writestr(f"p{number}-1.dist-info/METADATA", text)
    return archive


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        ("License-Expression: Apache-2.0 AND MIT\nLicense: other", "Apache-2.0 AND MIT"),
        ("Classifier: License :: OSI Approved :: MIT License\nLicense: see file", "MIT License"),
        ("Classifier: License :: OSI Approved\nLicense: BSD 3\n        and its text", "BSD 3"),
    ],
)
def test_a_licence_is_read_from_the_metadata_of_its_package(tmp_path: Path, lines: str, licence: str) -> None:
    """The expression first, then the classifiers, then the first line of the text."""
    archive = zipped(tmp_path, f"Name: Some_Package\nVersion: 1.2\n{lines}\n\nText")
    assert contents.packages(archive) == [contents.Package("Some_Package", "1.2", licence)]


def test_a_package_without_a_licence_stops_the_release(tmp_path: Path) -> None:
    """A developer must check it."""
    with pytest.raises(ValueError, match="secret names no licence"):
        contents.packages(zipped(tmp_path, "Name: secret\nVersion: 1\nLicense: UNKNOWN\n\n"))


def test_a_bill_of_materials_names_every_package_and_is_the_same_each_time(tmp_path: Path) -> None:
    """By the names that scanners use."""
    archive = zipped(tmp_path, "Name: b_c\nVersion: 2\nLicense: MIT\n\n", "Name: a\nVersion: 1\nLicense: MIT\n\n")
    bill = contents.bill_of_materials(archive, "0.1.0", contents.packages(archive), 0)
    assert bill == contents.bill_of_materials(archive, "0.1.0", contents.packages(archive), 0)
    parsed = json.loads(bill)
    assert [each["purl"] for each in parsed["components"]] == ["pkg:pypi/a@1", "pkg:pypi/b-c@2"]
    assert (parsed["bomFormat"], parsed["metadata"]["timestamp"]) == ("CycloneDX", "1970-01-01T00:00:00Z")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", parsed["serialNumber"])


def test_a_bill_of_materials_is_valid_by_cyclonedxs_schema(tmp_path: Path) -> None:
    """With licences, hashes and the release's own package; a wrong bill is refused."""
    folder = Path(__file__).parent / "cyclonedx"
    schemas = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    named = ((f"http://cyclonedx.org/schema/{name}", Resource.from_contents(each)) for name, each in schemas.items())
    registry: Any = Registry().with_resources(named)
    valid = Draft7Validator(schemas["bom-1.5.SNAPSHOT.schema.json"], registry=registry)
    archive = zipped(tmp_path, "Name: b_c\nVersion: 2\nLicense: MIT\n\n", "Name: a\nVersion: 1\nLicense: BSD 3\n\n")
    bill = json.loads(contents.bill_of_materials(archive, "0.1.0", contents.packages(archive), 0))
    assert [error.message for error in valid.iter_errors(bill)] == []
    bill["metadata"]["component"]["licenses"] = [{"license": {"id": "Ours"}}]
    assert not valid.is_valid(bill)


def test_packages_of_several_zips_are_listed_once() -> None:
    """By name, one line each."""
    found = [contents.Package("b", "1", "MIT"), contents.Package("a", "1", "MIT"), contents.Package("b", "1", "MIT")]
    assert contents.licence_list(found) == "a\t1\tMIT\nb\t1\tMIT\n"


def test_the_command_writes_both_next_to_the_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A security officer needs them for each package, not only for releases."""
    archive = zipped(tmp_path, "Name: b_c\nVersion: 2\nLicense: MIT\n\n")
    monkeypatch.setattr(package, "build", lambda *_: archive)
    parsed = json.loads(CliRunner().invoke(main, ["package", "--to", str(tmp_path / "dist"), "--json"]).stdout)
    bill, licences = (Path(parsed[name]) for name in ("bill_of_materials", "licences"))
    assert (bill.name, licences.name) == ("presign-siblings-arm64.cdx.json", "presign-siblings-arm64-licences.txt")
    metadata = json.loads(bill.read_text())["metadata"]
    assert metadata["component"]["hashes"] == [{"alg": "SHA-256", "content": parsed["sha256"]}]
    assert "timestamp" not in metadata  # the same zip has the same bill
    assert licences.read_text() == "b_c\t2\tMIT\n"
