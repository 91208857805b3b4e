"""``rollback``: an older version of the function goes live again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from presign_siblings.deploy import stacks, versions
from presign_siblings.deploy.deploy import go_live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presign_siblings.cli.console import Terminal
    from presign_siblings.deploy.versions import Version


def rollback(terminal: Terminal, stack: str, to: str | None, *, dry_run: bool) -> None:
    """Move the alias `live` to another version, or list the versions."""
    cloudformation, functions = terminal.client("cloudformation"), terminal.client("lambda")
    stacks.standing(cloudformation, stack)
    function = stacks.outputs(cloudformation, stack)["FunctionName"]
    found, live = versions.of_function(functions, function), versions.live(functions, function)
    if to is None:
        _list(terminal, found, live)
        return
    version = versions.chosen(found, to, live)
    moved = version.number != live if dry_run else go_live(cloudformation, functions, stack, version.number)
    if terminal.json:
        terminal.result({"stack": stack, "live": version.number, "moved": moved, "dry_run": dry_run, **asdict(version)})
        return
    verb = "would be at" if dry_run else "is now at" if moved else "was already at"
    terminal.say(f"stack {stack}: live {verb} version {version.number} {version.release}".rstrip())


def _list(terminal: Terminal, found: Sequence[Version], live: str) -> None:
    if terminal.json:
        terminal.result([asdict(each) | {"live": each.number == live} for each in found])
        return
    for each in found:
        mark = "live" if each.number == live else ""
        terminal.say(f"{each.number:>4}  {mark:4}  {each.made_at[:19]}  {each.release}".rstrip())
