"""The owner of the package's bucket could give the function other code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from presign_siblings.cli import console
from presign_siblings.cli import deploy as command
from presign_siblings.cli.main import main
from presign_siblings.deploy import deploy, preflight, stacks
from presign_siblings.deploy.stacks import DeployError

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "123456789012"


def s3(code: str | None = None) -> Any:
    """Return a client of S3, which refuses with the given code, if any."""
    refusal = None if code is None else ClientError({"Error": {"Code": code}}, "PutObject")
    return Mock(put_object=Mock(side_effect=refusal))


def test_a_code_bucket_with_a_predictable_name_must_belong_to_the_account(tmp_path: Path) -> None:
    """Another account may have created it: S3 then refuses the upload."""
    archive, client = tmp_path / "a.zip", s3()
    archive.write_bytes(b"zip")
    deploy.upload(client, f"sosw-s3-{ACCOUNT}", archive, ACCOUNT)
    assert client.put_object.call_args.kwargs["ExpectedBucketOwner"] == ACCOUNT
    with pytest.raises(DeployError, match=f"is not account {ACCOUNT}'s: name one with --code-bucket"):
        deploy.upload_template(s3("AccessDenied"), f"sosw-s3-{ACCOUNT}", ACCOUNT)
    with pytest.raises(DeployError, match="no bucket code for the package"):
        deploy.upload(s3("NoSuchBucket"), "code", archive)
    with pytest.raises(ClientError):
        deploy.upload(s3("AccessDenied"), "code", archive)


@pytest.mark.parametrize(("options", "owner"), [((), ACCOUNT), (("--code-bucket", "artifacts"), None)])
def test_the_owner_is_checked_unless_the_bucket_is_named(
    options: tuple[str, ...], owner: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A named bucket may be another account's, such as a company's one for all artifacts."""
    put = Mock(side_effect=DeployError("enough"))
    client = Mock()
    client.get_caller_identity.return_value = {"Account": ACCOUNT}
    monkeypatch.setattr(console.Terminal, "client", lambda *_: client)
    monkeypatch.setattr(stacks, "values", lambda *_: None)
    monkeypatch.setattr(preflight.Preflight, "check", lambda *_, **__: [])
    monkeypatch.setattr(command, "_built", lambda *_: tmp_path)
    monkeypatch.setattr(command, "upload", put)
    assert CliRunner().invoke(main, ["deploy", "--stack", "s", "--bucket", "reports", *options]).exit_code == 1
    assert put.call_args.args[1:] == (options[-1] if options else f"sosw-s3-{ACCOUNT}", tmp_path, owner)
