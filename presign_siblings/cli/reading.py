"""The progress of reading a manifest, and the refusal of an empty one."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from presign_siblings.errors import EmptyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from presign_siblings.cli.console import Terminal
    from presign_siblings.manifests.reader import Counted

T = TypeVar("T")


@contextmanager
def opening(terminal: Terminal, open_with: Callable[[Callable[[str], None]], AbstractContextManager[T]]) -> Iterator[T]:
    """Open what is read or copied before it is open; show meanwhile how much was."""
    with ExitStack() as stack:
        with reading(terminal, None, passes=True) as show:
            opened = stack.enter_context(open_with(show))
        yield opened


@contextmanager
def reading(
    terminal: Terminal, stream: Counted | None, total: int | None = None, *, passes: bool = False
) -> Iterator[Callable[..., None]]:
    """
    Show on a terminal how much of a manifest has been read; yield a function that changes the text beside it.

    :param stream: The stream that is read; ``None`` shows only activity and the text.
    :param total: What the bar counts to instead; the function then takes the count, too.
    :param passes: Whether the display vanishes, and has no thread: the process may be copied afterwards.
    """
    if not terminal.is_watched:
        yield lambda _text, _done=None: None
        return
    from rich import progress  # noqa: PLC0415 - 0.05 s that a script need not wait for

    far = [progress.DownloadColumn(), progress.TimeRemainingColumn()] if stream or total else []
    columns = [progress.TextColumn("{task.description}"), progress.BarColumn(), *far]
    shown = progress.Progress(*columns, console=terminal.notes, transient=passes, auto_refresh=not passes)
    with shown as bar:
        task = bar.add_task("reading", total=total or (stream.size if stream else None))

        def show(text: str, done: int | None = None) -> None:
            seen = stream.seen if stream else 0
            bar.update(task, completed=seen if done is None else done, description=text, refresh=passes)

        yield show


def refuse_none(keys: int, *, allow_empty: bool, choosing: bool = False) -> None:
    """
    Refuse a manifest without a key: the program before a pipe may have failed, or a pattern may be mistyped.

    :param choosing: Whether options choose among its keys.
    :raises EmptyError: There is no key, and ``allow_empty`` is false.
    """
    if not keys and not allow_empty:
        which = " that --include and --exclude take" if choosing else ""
        raise EmptyError(f"the manifest holds no key{which}: --allow-empty ends with 0 all the same")
