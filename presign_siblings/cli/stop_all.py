"""``stop --all`` and its undoing: what is changed is written down first, and restored from what was written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from presign_siblings.cli.program import PROGRAM
from presign_siblings.cli.reading import reading
from presign_siblings.cli.stop_words import by_hand, reservation
from presign_siblings.errors import CommandError, NotFoundError, WrongUseError
from presign_siblings.remote import switches
from presign_siblings.remote.jobs import Jobs
from presign_siblings.remote.stopped import MARK, NONE, Stopped, StopRecord
from presign_siblings.remote.switches import RESERVED, Rule
from presign_siblings.session import words_of_aws
from processor.errors import error_code
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from presign_siblings.cli.console import Terminal
    from presign_siblings.remote.function import Deployed

T = TypeVar("T")

_GONE = "ResourceNotFoundException"
_JOBS, _RECORD = "jobs", "record for the undoing"


class Everything:
    """
    Every chain of a function, to stop at once and to let continue.

    What AWS refuses keeps it from nothing else. ``refused`` says, by name, what was not done, and why; ``gone`` names
    what does not exist any more, and ``missing`` says that the jobs table does not.

    :param dry: Whether to change nothing, and only to return what would be changed.
    """

    def __init__(self, terminal: Terminal, deployed: Deployed, *, dry: bool = False) -> None:
        self._terminal, self._deployed, self._dry = terminal, deployed, dry
        self.gone, self.refused = list[str](), dict[str, str]()
        self.missing = ""
        self._events, self._functions = terminal.client("events"), terminal.client("lambda")
        self._jobs: Jobs | None = None
        self._record: StopRecord | None = None
        if deployed.jobs_table:
            table = terminal.client("dynamodb"), deployed.jobs_table
            self._jobs, self._record = Jobs(*table), StopRecord(*table, deployed.function)

    def stopped(self, named: str, *, now: bool) -> dict[str, Any]:
        """
        Stop, and return what was changed.

        :param named: The options that name the function.
        :param now:   Also let nothing start.
        """
        before = switches.switches(self._events, self._functions, self._deployed, look=self._looked)
        now = now and RESERVED not in self.refused  # nobody could restore what was not seen
        self._look_for_table()
        # A chain may park as soon as the rules are off; it counts as stopped by this command.
        under_way = self._under_way(stop=False)
        changed = Stopped(
            rules=frozenset(rule.name for rule in before.rules if rule.enabled),
            mappings=frozenset(each.name for each in before.mappings if each.enabled),
            jobs=frozenset(under_way),
            concurrency=reservation(before.concurrency) if now and before.concurrency != 0 else None,
        )
        if not self._dry:
            self._stop(changed, before.rules, under_way, now=now)
        left = {*self.gone, *self.refused}
        reserved = 0 if now and RESERVED not in left else before.concurrency
        told = {
            "rules_disabled": sorted(changed.rules - left),
            "mappings_disabled": sorted(changed.mappings - left),
            "reserved_concurrency": {"before": before.concurrency, "now": reserved},
            "jobs_stopping": sorted({*(() if _JOBS in left else under_way), *self._under_way(stop=True)}),
            "refused": self.refused,
        }
        options = "" if self._record is not None and _RECORD not in left else by_hand(told)
        return {**told, "undo": f"{PROGRAM} stop --all --undo {named}{options}"}

    def _stop(self, changed: Stopped, rules: Iterable[Rule], under_way: Iterable[str], *, now: bool) -> None:
        """Write down what is changed, then change it."""
        if self._record is not None:
            self._try(_RECORD, partial(self._record.add, changed))
        for rule in rules:
            self._try(rule.name, partial(switches.turn, self._events, [rule], on=False))
        for name in changed.mappings:
            self._try(name, partial(switches.open_mappings, self._functions, [name], on=False))
        if now:
            self._try(RESERVED, partial(switches.reserve, self._functions, self._deployed, 0))
        self._try(_JOBS, lambda: self._set_all([*under_way, *self._under_way(stop=False)], stop=True))

    def _look_for_table(self) -> None:
        """Continue as without a jobs table where it is gone: no job is under way then, and nothing is recorded."""
        try:
            if self._jobs is not None:
                self._jobs.get(MARK)
        except NotFoundError as gone:
            self.missing, self._jobs, self._record = str(gone), None, None
        except (BotoCoreError, ClientError) as error:
            self.refused[_RECORD] = str(words_of_aws(error))

    def _try(self, name: str, call: Callable[[], object]) -> None:
        """Change something; note a refusal, and what does not exist any more."""
        try:
            call()
        except (BotoCoreError, ClientError, NotFoundError) as error:
            if isinstance(error, ClientError) and error_code(error) == _GONE:
                self.gone.append(name)
            else:
                self.refused[name] = words_of_aws(error) or str(error)

    def _looked(self, name: str, call: Callable[[], T], absent: T, /) -> T:
        """Look something up; what AWS refuses to say is noted, and something stands for it."""
        found = [absent]
        self._try(name, lambda: found.append(call()))
        return found[-1]

    def undone(self, rules: Iterable[str], mappings: Iterable[str], concurrency: str | None) -> dict[str, Any]:
        """
        Restore what the record holds, and what is named besides; return what was restored.

        :param mappings: UUIDs of event source mappings.
        :raises NotFoundError: There is no record, and nothing is named; the message tells the present state.
        """
        named = Stopped(rules=frozenset(rules), mappings=frozenset(mappings), concurrency=concurrency)
        kept = self._kept(named)
        if kept is None and named == Stopped():
            missing = f": {self.missing}" if self.missing else ""
            raise NotFoundError(f"nothing is recorded as stopped{missing}, and nothing was changed. {self._state()}")
        kept = kept or Stopped()
        written = named.concurrency or kept.concurrency
        number = _number(written)
        if not self._dry:
            self._restore(kept, named, number)
        going = set(self._under_way(stop=self._dry))  # before the undoing they are asked to stop
        left = {*self.gone, *self.refused}
        return {
            "rules_enabled": sorted((kept.rules | named.rules) - left),
            "mappings_enabled": sorted((kept.mappings | named.mappings) - left),
            "reserved_concurrency": None if RESERVED in left else written or self._zero(),
            "jobs_going_on": sorted(kept.jobs & going),
            "gone": self.gone,
            "refused": self.refused,
        }

    def _kept(self, named: Stopped) -> Stopped | None:
        """
        Return the record, if there is one; whoever names what is to be restored can do without it.

        :raises CommandError: Nothing is named, and DynamoDB refuses the record.
        """
        self._look_for_table()
        found = None if self._record is None else self._looked(_RECORD, self._record.read, None)
        if _RECORD in self.refused and named == Stopped():
            raise CommandError(
                f"nothing is restored: the jobs table {self._deployed.jobs_table}, which records what was stopped: "
                f"{self.refused[_RECORD]}; --rule, --mapping and --concurrency restore without it"
            )
        return found

    def _restore(self, kept: Stopped, named: Stopped, reserve: int | None) -> None:
        """Change everything back, and keep the record of what AWS refuses."""
        for name in sorted(kept.rules | named.rules):
            self._try(name, partial(switches.turn, self._events, [Rule(name, enabled=False)], on=True))
        for name in sorted(kept.mappings | named.mappings):
            self._try(name, partial(switches.open_mappings, self._functions, [name], on=True))
        if named.concurrency or kept.concurrency:
            self._try(RESERVED, partial(switches.reserve, self._functions, self._deployed, reserve))
        self._try(_JOBS, partial(self._set_all, kept.jobs, stop=False))
        if self._record is not None and not self.refused:
            self._record.forget()

    def _zero(self) -> str | None:
        """Return 0 where that was reserved before the stop, so that nothing starts after its undoing either."""
        found = self._looked(RESERVED, partial(switches.reserved, self._functions, self._deployed), None)
        return "0" if found == 0 else None

    def _state(self) -> str:
        found = switches.switches(self._events, self._functions, self._deployed)
        states = [f"{rule.name} is {'on' if rule.enabled else 'off'}" for rule in found.rules]
        states += [
            f"mapping {each.name} of queue {each.source} is {'on' if each.enabled else 'off'}"
            for each in found.mappings
        ]
        states += [f"reserved concurrency: {reservation(found.concurrency)}"]
        stopping = len(self._under_way(stop=True))
        states += [f"{plural(stopping, 'job under way is', 'jobs under way are')} asked to stop"]
        return f"Now: {'; '.join(states)}. --rule, --mapping and --concurrency change what should be otherwise"

    def _set_all(self, job_keys: Iterable[str], *, stop: bool) -> None:
        if self._jobs is None:
            return
        keys = dict.fromkeys(job_keys)
        with reading(self._terminal, None) as show:
            for number, job_key in enumerate(keys):
                show(f"{number:,} of {plural(len(keys), 'job')} asked")
                self._jobs.ask(job_key, stop=stop)

    def _under_way(self, *, stop: bool) -> list[str]:
        """Return the keys of the jobs under way that are, or are not, asked to stop."""
        return [] if self._jobs is None else self._looked(_JOBS, partial(self._jobs.under_way, stop=stop), [])


def _number(written: str | None) -> int | None:
    if written is None or written == NONE:
        return None
    if not written.isdigit():
        raise WrongUseError("--concurrency takes a number, or none")
    return int(written)
