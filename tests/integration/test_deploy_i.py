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
    """Create a bucket with an object under ``inbox/``, and an empty one in another region; a build fails the test."""
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
    """Call the command; return its exit code and its standard error."""
    result = CliRunner().invoke(main, ["deploy", "--stack", "presign-siblings", *options])
    assert "Traceback" not in result.output
    return result.exit_code, result.stderr


def test_a_deployment_that_would_fail_is_refused_before_anything_is_built(buckets: tuple[str, str]) -> None:
    """The answer names all errors at once."""
    here, there = buckets
    code, stderr = deployed("--bucket", "nobody-has-this-bucket", "--code-bucket", there)
    assert (code, "there is no bucket nobody-has-this-bucket (--bucket)" in stderr) == (1, True)
    assert f"bucket {there} (--code-bucket) is in eu-central-1" in stderr
    code, stderr = deployed("--bucket", here, "--code-bucket", here, "--prefix", "inobx/")
    assert (code, f"s3://{here}/inobx/ holds no object" in stderr) == (1, True)


@pytest.mark.parametrize("wrong", ["Sufix=.pdf", "Compression=zip", "Runtime=python3.8", "MaxHops=many"])
def test_a_parameter_that_the_template_refuses_is_refused_before_the_deployment(
    buckets: tuple[str, str], wrong: str
) -> None:
    """The message has its name."""
    code, stderr = deployed("--bucket", buckets[0], "--code-bucket", buckets[0], "--set", wrong)
    assert (code, f"--set {wrong.partition('=')[0]}" in stderr) == (2, True)


def test_an_option_that_the_template_refuses_is_refused_before_the_deployment(buckets: tuple[str, str]) -> None:
    """The message names the option: a bucket has no capitals, and EventBridge's cron leaves one of the days open."""
    options = ("--bucket", buckets[0], "--code-bucket", buckets[0])
    for wrong in (("--bucket", "Reports"), ("--alarm-email", "nobody"), ("--schedule", "cron(0 3 * * * *)")):
        code, stderr = deployed(*options, *wrong)
        assert (code, " ".join(wrong) in stderr) == (2, True), stderr
    assert "a schedule of EventBridge: cron of six fields" in stderr


def test_a_dry_deployment_names_the_lifecycle_rules_that_it_would_add_and_adds_none(
    buckets: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no part of the change set; without --merge-lifecycle the command that adds them is shown."""
    here, _ = buckets
    archive = tmp_path / "package.zip"
    archive.write_bytes(b"zip")
    monkeypatch.setattr(package, "build", lambda *_: archive)
    monkeypatch.setattr(change_set, "shown", lambda *_, **__: [])
    options = ("--bucket", here, "--code-bucket", here, "--prefix", "inbox/", "--dry-run", "--json")
    stderr = deployed(*options, "--merge-lifecycle")[1]
    assert f"lifecycle rules would be added to s3://{here}: manifests-expire, checkpoints-expire" in stderr
    assert "put-bucket-lifecycle-configuration" in deployed(*options)[1]
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        boto3.client("s3").get_bucket_lifecycle_configuration(Bucket=here)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Fake the build and CloudFormation; return the parameters that CloudFormation would get."""
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
    """Lambda publishes no version without a change, and old execution environments keep their sessions."""
    options = ("--bucket", buckets[0], "--code-bucket", buckets[0], "--prefix", "inbox/", "--dry-run")
    for more in ((), (), ("--renew",)):
        code, stderr = deployed(*options, *more)
        assert code == 0, stderr
    first, again, renewed = (each["Release"] for each in asked)
    assert first == again
    assert renewed.startswith(f"{first} renewed 2")


def test_the_package_goes_to_the_bucket_that_set_codebucket_names(
    buckets: tuple[str, str], asked: list[dict[str, str]]
) -> None:
    """``--set CodeBucket`` means the same as ``--code-bucket``: the stack looks for the package there."""
    here = buckets[0]
    code, stderr = deployed(
        "--bucket", here, "--set", f"CodeBucket={here}", "--prefix", "inbox/", "--dry-run", "--json"
    )
    assert code == 0, stderr
    assert asked[0]["CodeBucket"] == here
    kept = boto3.client("s3").list_objects_v2(Bucket=here)["Contents"]
    assert any(each["Key"].endswith(".yaml") for each in kept), "the template is too long for a request"


def test_a_dry_run_of_package_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result names the file that a build would write."""
    monkeypatch.setattr(package, "build", lambda *_: pytest.fail("the package was built"))
    result = CliRunner().invoke(main, ["package", "--to", str(tmp_path / "dist"), "--dry-run", "--json"])
    place = tmp_path / "dist" / "presign-siblings-arm64.zip"
    assert json.loads(result.stdout) == {"dry_run": True, "file": str(place), "exists": False}
    assert not any(tmp_path.iterdir())


def test_a_stack_is_not_deleted_without_a_confirmation() -> None:
    """A script has to give --yes."""
    code, stderr = deployed("--delete")
    assert (code, "add --yes" in stderr) == (2, True)


def test_a_dry_deletion_names_the_resources_that_it_would_remove_and_keeps_them(
    aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also together with --yes. The bucket would stay."""
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
def test_the_question_before_a_deletion_names_what_it_would_destroy(
    signer: str, monkeypatch: pytest.MonkeyPatch, *, dies: bool
) -> None:
    """Links that the role signed expire with it; links of an IAM user's keys do not."""
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
