"""The guards before a hand-over, which bound a chain's cost, in the order of the design."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import cause_code

if TYPE_CHECKING:
    from datetime import datetime

    from processor.job import SiblingPayload
    from processor.lambda_context import LambdaContext


class Siblings(Protocol):
    """What a hand-over asks: sosw's component in Lambda; a run on a laptop has its own."""

    def events_rules(self, lambda_context: LambdaContext, /) -> tuple[str, ...]:
        """Name the rules that target the function."""

    def any_events_rules_enabled(self, lambda_context: LambdaContext, names: tuple[str, ...] | None = None, /) -> bool:
        """Return whether the kill switch lets the chain continue."""

    def get_approximate_concurrent_executions(self) -> int | None:
        """Return how many run at once, or ``None`` when that is not known."""

    def recursive_loop(self, lambda_context: LambdaContext, /) -> str | None:
        """Return what Lambda does with a long chain."""

    def hand_over(self, context: LambdaContext, payload: dict[str, Any], /) -> str | None:
        """Spawn a sibling; return why the chain does not surely continue."""


class Guards:
    """
    What must hold before a sibling is called, in order. The first guard that fails names the reason to park.

    :param siblings:        The component that asks AWS.
    :param max_hops:        Hops in one budget.
    :param max_job_seconds: Age of one budget, in seconds.
    :param max_concurrent_siblings: Most Lambdas of the function at once, not counting a job's further chains.
    """

    def __init__(self, siblings: Siblings, max_hops: int, max_job_seconds: int, max_concurrent_siblings: int) -> None:
        self._siblings, self._max_hops, self._max_job_seconds = siblings, max_hops, max_job_seconds
        self._max_concurrent_siblings = max_concurrent_siblings

    def check(
        self,
        context: LambdaContext,
        to: SiblingPayload,
        steps: int,
        now: datetime,
        *,
        stop: bool,
        hops: int,
    ) -> tuple[SiblingPayload, str | None]:
        """
        Decide whether the chain continues.

        :param to:    Where the sibling would continue.
        :param steps: How far this hop brought the chain: pages that it wrote, parts of the manifest.
        :param stop:  An operator asked the chain to stop.
        :param hops:  Hops in this budget, of all chains of the job.
        :return: The same place, with the rules' names once they are known; and why the chain must stop, or ``None``.
        """
        if steps == 0:
            return to, "no_progress"
        if hops >= self._max_hops:
            return to, "max_hops"
        if (now - to.budget_since).total_seconds() >= self._max_job_seconds:
            return to, "max_job_seconds"
        if stop:
            return to, "stopped"
        try:
            if to.event_rules is None and not to.job.force:
                to = replace(to, event_rules=self._siblings.events_rules(context))
            go_on = to.job.force or self._siblings.any_events_rules_enabled(context, to.event_rules)
        except (ClientError, BotoCoreError) as error:
            return to, f"rules_unknown: {cause_code(error)}"
        return to, self._crowded(to.job.chains) if go_on else "rules_disabled"

    def cut_after_sixteen(self, context: LambdaContext) -> bool:
        """Return whether Lambda's own recursion guard is known to cut the chain."""
        return self._siblings.recursive_loop(context) == "Terminate"

    def _crowded(self, chains: int) -> str | None:
        """
        Name the reason to park when too many run at once.

        :param chains: Chains of the job. Each but one adds two to the limit: all may hand over at once, and a parent
            ends after its sibling has begun.
        """
        running = self._siblings.get_approximate_concurrent_executions()
        limit = self._max_concurrent_siblings + 2 * (chains - 1)
        return "max_concurrent_siblings" if running is not None and running > limit else None
