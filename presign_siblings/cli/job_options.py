"""The fields of a job as options: names, rules and help come from the table of the fields."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from presign_siblings.cli.usage.shared import FILE
from presign_siblings.errors import WrongUseError
from presign_siblings.manifests.location import STDIN, S3Place
from processor.errors import InvalidEventError
from processor.job import CLOUDFRONT, FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OPTIONS = tuple(name for name, field in FIELDS.items() if field.metavar is not None or field.flag)
# Of these: the options of the URLs (their answers and lifetimes), and those of the manifest.
OF_URLS = (
    *("expiry_seconds", "disposition", "filename", "content_type", "cache_control"),
    *("signer", "policy", "ip_range", "starts_at"),
)
OF_THE_MANIFEST = (
    *("chains", "compression", "fields", "version_ids"),
    *("manifest_key", "page", "page_title", "page_contact"),
)


def field_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the fields of a job that have an option."""
    return some_field_options(*OPTIONS)(command)


def some_field_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives a command some fields of a job."""

    def give(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            field = FIELDS[name]
            help_text = _plain(f"{field.help}  [{field.rule.says}]")
            shape: dict[str, Any] = {"is_flag": True, "default": None} if field.flag else {"metavar": field.metavar}
            if name == "keys_from":
                shape["type"] = FILE
            option = click.option(_option(name), callback=_checked, help=help_text, multiple=field.several, **shape)
            command = option(command)
        return command

    return give


def flag_option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option of a field that is true or absent."""
    return click.option(_option(name), is_flag=True, help=_plain(FIELDS[name].help))


def signing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a CloudFront distribution and its key."""
    for name, variable, help_text in (
        ("private-key", "CLOUDFRONT_PRIVATE_KEY_FILE", "PEM file with the private key of the trusted key group."),
        ("key-pair-id", "CLOUDFRONT_KEY_PAIR_ID", "Id of its public key."),
        ("domain", "CLOUDFRONT_DOMAIN", "Domain of the CloudFront distribution, for --signer cloudfront."),
    ):
        text = f"{help_text} ({variable})"
        shape: dict[str, Any] = {"type": FILE, "metavar": "FILE"} if name == "private-key" else {"metavar": "NAME"}
        command = click.option(f"--{name}", envvar=variable, help=text, **shape)(command)
    return command


def signing(options: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the options of a distribution: its variables, and the file of its key.

    :raises WrongUseError: CloudFront signs (always, in a command without ``--signer``), and an option is missing.
    """
    named = {"CLOUDFRONT_DOMAIN": options.get("domain"), "CLOUDFRONT_KEY_PAIR_ID": options.get("key_pair_id")}
    if options.get("signer", CLOUDFRONT) == CLOUDFRONT and not all(named.values()):
        raise WrongUseError("signer cloudfront needs --domain, --key-pair-id and --private-key")
    variables = {name: value for name, value in named.items() if value is not None}
    return {"key_file": options.get("private_key"), "variables": variables}


def asked(source: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event's fields that the options give."""
    fields = {name: options[name] for name in OPTIONS if options.get(name) is not None}
    if source is not None:
        place = S3Place.parse(source)
        elsewhere = not place.key and not {"keys_from", "prefixes"}.isdisjoint(fields)
        fields |= {"bucket": place.bucket} | ({} if elsewhere else {"prefix": place.key})
    return fields


def _checked(_: click.Context, option: click.Parameter, value: str | tuple[str, ...] | None) -> object:
    """Return the value as written, checked by the field's own rule; of a tuple with one value, that value."""
    name = str(option.name)
    if isinstance(value, tuple):
        value = (value[0] if len(value) == 1 else value) if value else None
    if name == "keys_from" and isinstance(value, str) and "://" not in value:
        value = f"file://{value if value == STDIN else Path(value).absolute()}"
    try:
        if value is not None:
            FIELDS[name].rule.check(name, value)
    except InvalidEventError as error:
        raise click.BadParameter(str(error)) from None
    return value


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _plain(text: str) -> str:
    """Return a text without backticks, which mean nothing on a terminal."""
    return text.replace("`", "")
