"""What ``stop --all`` and its undoing change, one change after the other: a refusal by AWS prevents no other."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from presign_siblings.cli.reading import reading
from presign_siblings.errors import NotFoundError
from presign_siblings.remote import switches
from presign_siblings.remote.jobs import Jobs
from presign_siblings.remote.stopped import MARK, StopRecord
from presign_siblings.remote.switches import RESERVED
from presign_siblings.session import words_of_aws
from processor.errors import error_code
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from presign_siblings.cli.console import Terminal
    from presign_siblings.remote.function import Deployed
    from presign_siblings.remote.switches import Rule, Switches

T = TypeVar("T")

JOBS, RECORD = "jobs", "record for the undoing"
_GONE = "ResourceNotFoundException"


class Changes:
    """
    The switches of a function's chains, and what became of each change.

    :ivar record:  What was stopped before; ``None`` where no jobs table keeps it.
    :ivar refused: The reason for each change that was not made, by its name.
    :ivar gone:    The names of what no longer exists.
    :ivar missing: Says that the jobs table does not exist.
    :ivar table:   Name of the jobs table.
    """

    def __init__(self, terminal: Terminal, deployed: Deployed) -> None:
        self._terminal, self._deployed = terminal, deployed
        self.gone, self.refused = list[str](), dict[str, str]()
        self.missing, self.table = "", deployed.jobs_table
        self._events, self._functions = terminal.client("events"), terminal.client("lambda")
        self._jobs: Jobs | None = None
        self.record: StopRecord | None = None
        if self.table:
            tables = terminal.client("dynamodb")
            self._jobs, self.record = Jobs(tables, self.table), StopRecord(tables, self.table, deployed.function)
            self._look_for_table()

    @property
    def left(self) -> frozenset[str]:
        """The names of the changes that were not made."""
        return frozenset({*self.gone, *self.refused})

    def switches(self, *, strict: bool = False) -> Switches:
        """
        Return the present state of rules, mappings and concurrency.

        :param strict: Whether a refusal is raised; else it is noted, and what it hides is absent.
        """
        look = switches.ask if strict else self.look
        return switches.switches(self._events, self._functions, self._deployed, look=look)

    def zero(self) -> str | None:
        """Return ``0`` if 0 is reserved now, as far as AWS says: nothing starts then."""
        with suppress(BotoCoreError, ClientError):
            return "0" if switches.reserved(self._functions, self._deployed) == 0 else None
        return None

    def attempt(self, name: str, call: Callable[[], object]) -> None:
        """Make a change; note a refusal, or that its target no longer exists."""
        try:
            call()
        except (BotoCoreError, ClientError, NotFoundError) as error:
            if isinstance(error, ClientError) and error_code(error) == _GONE:
                self.gone.append(name)
            else:
                self.refused[name] = words_of_aws(error) or str(error)

    def look(self, name: str, call: Callable[[], T], absent: T, /) -> T:
        """Look something up; note a refusal, and return ``absent`` then."""
        found = [absent]
        self.attempt(name, lambda: found.append(call()))
        return found[-1]

    def turn(self, rules: Iterable[Rule], *, on: bool) -> None:
        """Turn rules and schedules on or off."""
        for rule in rules:
            self.attempt(rule.name, partial(switches.turn, self._events, [rule], on=on))

    def open_mappings(self, names: Iterable[str], *, on: bool) -> None:
        """Turn event source mappings on or off, by their UUIDs."""
        for name in names:
            self.attempt(name, partial(switches.open_mappings, self._functions, [name], on=on))

    def reserve(self, concurrency: int | None) -> None:
        """Reserve a concurrency for the function; ``None`` removes the reservation."""
        self.attempt(RESERVED, partial(switches.reserve, self._functions, self._deployed, concurrency))

    def set_stop(self, job_keys: Iterable[str], *, stop: bool) -> None:
        """Ask jobs to stop, or undo that."""
        self.attempt(JOBS, partial(self._set_stop, job_keys, stop=stop))

    def under_way(self, *, stop: bool) -> list[str]:
        """Return the keys of the jobs under way that are, or are not, asked to stop."""
        return [] if self._jobs is None else self.look(JOBS, partial(self._jobs.under_way, stop=stop), [])

    def _look_for_table(self) -> None:
        """Where the jobs table is gone, continue without: no job is under way then, and nothing is recorded."""
        try:
            if self._jobs is not None:
                self._jobs.get(MARK)
        except NotFoundError as gone:
            self.missing, self._jobs, self.record = str(gone), None, None
        except (BotoCoreError, ClientError) as error:
            self.refused[RECORD] = str(words_of_aws(error))

    def _set_stop(self, job_keys: Iterable[str], *, stop: bool) -> None:
        if self._jobs is None:
            return
        keys = dict.fromkeys(job_keys)
        with reading(self._terminal, None) as show:
            for number, job_key in enumerate(keys):
                show(f"{number:,} of {plural(len(keys), 'job')} asked")
                self._jobs.ask(job_key, stop=stop)
