"""``deploy`` on a moto server: what it refuses before it builds, and what it asks before it deletes."""

from __future__ import annotations

import json
import sys
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
import click
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from presign_siblings.cli import deploy
from presign_siblings.cli.main import main
from presign_siblings.deploy import change_set, package, stacks
from presign_siblings.errors import WrongUseError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def buckets(aws: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Make a bucket with an object under ``inbox/``, and an empty one in another region; nothing is built."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setattr(package, "build", lambda *_: pytest.fail("the package was built"))
    boto3.DEFAULT_SESSION = None
    names = f"autotest-{uuid.uuid4().hex}", f"autotest-{uuid.uuid4().hex}"
    for name, region in zip(names, ("eu-west-1", "eu-central-1"), strict=True):
        configuration: Any = {"LocationConstraint": region}
        boto3.client("s3", region_name=region).create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
    boto3.client("s3").put_object(Bucket=names[0], Key="inbox/a.pdf", Body=b"%")
    return names


def deployed(*options: str) -> tuple[int, str]:
    """Call the command; return its exit code, and what it says."""
    result = CliRunner().invoke(main, ["deploy", "--stack", "presign-siblings", *options])
    assert "Traceback" not in result.output
    return result.exit_code, result.stderr


def test_a_deployment_that_would_fail_is_refused_before_anything_is_built(buckets: tuple[str, str]) -> None:
    """All that is wrong at once."""
    here, there = buckets
    code, told = deployed("--bucket", "nobody-has-this-bucket", "--code-bucket", there)
    assert (code, "there is no bucket nobody-has-this-bucket (--bucket)" in told) == (1, True)
    assert f"bucket {there} (--code-bucket) lies in eu-central-1" in told
    code, told = deployed("--bucket", here, "--code-bucket", here, "--prefix", "inobx/")
    assert (code, f"s3://{here}/inobx/ holds no object" in told) == (1, True)


@pytest.mark.parametrize("wrong", ["Sufix=.pdf", "Compression=zip", "Runtime=python3.8", "MaxHops=many"])
def test_a_parameter_that_the_template_refuses_is_refused_at_once(buckets: tuple[str, str], wrong: str) -> None:
    """With its name."""
    code, told = deployed("--bucket", buckets[0], "--code-bucket", buckets[0], "--set", wrong)
    assert (code, f"--set {wrong.partition('=')[0]}" in told) == (2, True)


def test_an_option_that_the_template_refuses_is_refused_at_once(buckets: tuple[str, str]) -> None:
    """By its own name: a bucket has no capitals, and EventBridge's cron leaves one of the days open."""
    options = ("--bucket", buckets[0], "--code-bucket", buckets[0])
    for wrong in (("--bucket", "Reports"), ("--alarm-email", "nobody"), ("--schedule", "cron(0 3 * * * *)")):
        code, told = deployed(*options, *wrong)
        assert (code, " ".join(wrong) in told) == (2, True), told
    assert "a schedule of EventBridge: cron of six fields" in told


def test_a_dry_deployment_names_the_lifecycle_rules_that_it_would_add_and_adds_none(
    buckets: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no part of the change set; without --merge-lifecycle the command that adds them is shown, as ever."""
    here, _ = buckets
    archive = tmp_path / "package.zip"
    archive.write_bytes(b"zip")
    monkeypatch.setattr(package, "build", lambda *_: archive)
    monkeypatch.setattr(change_set, "shown", lambda *_, **__: [])
    options = ("--bucket", here, "--code-bucket", here, "--prefix", "inbox/", "--dry-run", "--json")
    told = deployed(*options, "--merge-lifecycle")[1]
    assert f"lifecycle rules would be added to s3://{here}: manifests-expire, checkpoints-expire" in told
    assert "put-bucket-lifecycle-configuration" in deployed(*options)[1]
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        boto3.client("s3").get_bucket_lifecycle_configuration(Bucket=here)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Build a package, and ask CloudFormation for nothing; what it would be asked for is returned."""
    asked = list[dict[str, str]]()
    archive = tmp_path / "package.zip"
    archive.write_bytes(b"zip")
    monkeypatch.setattr(package, "build", lambda *_: archive)

    def shown(_: object, __: str, parameters: dict[str, str], **___: object) -> list[dict[str, str]]:
        asked.append(parameters)
        return []

    monkeypatch.setattr(change_set, "shown", shown)
    return asked


def test_a_renewal_changes_a_setting(buckets: tuple[str, str], asked: list[dict[str, str]]) -> None:
    """Lambda publishes no version of what has not changed, and its environments keep the sessions of before."""
    options = ("--bucket", buckets[0], "--code-bucket", buckets[0], "--prefix", "inbox/", "--dry-run")
    for more in ((), (), ("--renew",)):
        code, told = deployed(*options, *more)
        assert code == 0, told
    first, again, renewed = (each["Release"] for each in asked)
    assert first == again
    assert renewed.startswith(f"{first} renewed 2")


def test_the_package_goes_to_the_bucket_that_set_names(buckets: tuple[str, str], asked: list[dict[str, str]]) -> None:
    """``--set CodeBucket`` means what ``--code-bucket`` does: the stack looks for the package there."""
    here = buckets[0]
    code, told = deployed("--bucket", here, "--set", f"CodeBucket={here}", "--prefix", "inbox/", "--dry-run", "--json")
    assert code == 0, told
    assert asked[0]["CodeBucket"] == here
    kept = boto3.client("s3").list_objects_v2(Bucket=here)["Contents"]
    assert any(each["Key"].endswith(".yaml") for each in kept), "the template is too long for a request"


def test_a_dry_package_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it would be, and for what."""
    monkeypatch.setattr(package, "build", lambda *_: pytest.fail("the package was built"))
    result = CliRunner().invoke(main, ["package", "--to", str(tmp_path / "dist"), "--dry-run", "--json"])
    place = tmp_path / "dist" / "presign-siblings-arm64.zip"
    assert json.loads(result.stdout) == {"dry_run": True, "file": str(place), "exists": False}
    assert not any(tmp_path.iterdir())


def test_nobody_deletes_a_stack_without_being_asked() -> None:
    """A script has to say so."""
    code, told = deployed("--delete")
    assert (code, "add --yes" in told) == (2, True)


def test_a_dry_deletion_names_what_would_go_and_leaves_it(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where --yes stands beside it. The bucket would stay."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    boto3.DEFAULT_SESSION = None
    parameters = {"LiveVersion": {"Type": "String", "Default": "1"}}
    resources = {"Bell": {"Type": "AWS::SNS::Topic"}, "Bucket": {"Type": "AWS::S3::Bucket"}}
    body = json.dumps({"Parameters": parameters, "Resources": resources})
    cloud = boto3.client("cloudformation")
    cloud.create_stack(StackName="presign-siblings", TemplateBody=body)
    result = CliRunner().invoke(
        main, ["deploy", "--stack", "presign-siblings", "--delete", "--yes", "--dry-run", "--json"]
    )
    (gone,) = json.loads(result.stdout)["changes"]
    assert (gone["action"], gone["name"]) == ("Remove", "Bell")
    assert stacks.described(cloud, "presign-siblings")["StackStatus"] == "CREATE_COMPLETE"
    cloud.delete_stack(StackName="presign-siblings")


@pytest.mark.parametrize(("signer", "dies"), [("", True), ("keys", False)])
def test_what_goes_with_a_stack_is_said(signer: str, monkeypatch: pytest.MonkeyPatch, *, dies: bool) -> None:
    """Links that the role signed die with it; those of a user's keys do not."""
    asked: list[str] = []

    def confirm(text: str, **_: object) -> None:
        asked.append(text)
        raise click.Abort

    monkeypatch.setattr(click, "confirm", confirm)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    found = {"Parameters": [{"ParameterKey": "SigningSecret", "ParameterValue": signer}]}
    monkeypatch.setattr(stacks, "ours", lambda *_: found)
    with pytest.raises(click.Abort):
        deploy._confirm(cast("Any", None), "presign-siblings", yes=False)
    assert ("every link that the function has signed dies with its role" in asked[0]) is dies
    assert "logs, jobs table, queues" in asked[0]
    deploy._confirm(cast("Any", None), "presign-siblings", yes=True)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(WrongUseError):
        deploy._confirm(cast("Any", None), "presign-siblings", yes=False)
