"""The page's form, checked: the job by the function's own rules, the other fields by rules of this module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dev.aws import stack
from processor.errors import InvalidEventError
from processor.job import times, validation

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from presign_siblings.remote.function import Deployed
    from processor.job import Job

JOB_FIELDS = ("prefix", "suffix", "expiry_seconds", "page_size", "compression", "chains")
FAULTS = ("kill_hops", "rule_off_at", "throttle_at")
FIELDS = frozenset({*JOB_FIELDS, *FAULTS, "timeout", "kept_free", "every_page", "seed"})
# The template's Timeout, and the limit of Lambda.
MIN_TIMEOUT, MAX_TIMEOUT = 3, 900
MAX_HOP = 99  # MaxHops allows a hundred
MAX_PDFS = 20_000
MAX_CHAINS = 8  # they all run on this machine
ONE_CHAIN = "needs one chain: AWS gives a killed hop of several out again, and the emulated Step Functions does not"
RESERVED = 2 * MAX_CHAINS + 3  # executions: a hand-over needs two of a chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    One run.

    :param event:       Event for the function.
    :param job:         The job that the function will read from the event.
    :param timeout:     Timeout of a Lambda, seconds.
    :param kept_free:   Seconds of the timeout for the checkpoint and the hand-over (``SHUTDOWN_PERIOD``).
    :param kill_hops:   Hops whose runtime is killed once.
    :param rule_off_at: Hop during which the rule is switched off.
    :param throttle_at: Hop during which the function is throttled.
    :param every_page:  Whether a line is logged for each page.
    :param seed:        Whether the seed's one-shot handler runs beside it.
    """

    event: Mapping[str, Any]
    job: Job
    timeout: int
    kept_free: float
    kill_hops: frozenset[int]
    rule_off_at: int | None
    throttle_at: int | None
    every_page: bool
    seed: bool

    @classmethod
    def read(cls, form: object, place: str, deployed: Deployed, now: datetime) -> Settings:
        """
        Check a form.

        :param form:  The form's fields; each is optional, and ``""`` in a number means absent.
        :param place: Manifest prefix of this run, which makes its job differ from those of other runs.
        :param now:   UTC.
        :raises InvalidEventError: A field breaks its rule.
        """
        if not isinstance(form, dict):
            raise InvalidEventError("form", form, "must be an object")
        _refuse_others(form, FIELDS)
        event = {name: form[name] for name in JOB_FIELDS if form.get(name) is not None}
        chains = validation.integer("chains", form.get("chains", 1), 1, MAX_CHAINS)
        kill_hops = _hops("kill_hops", form.get("kill_hops", ""))
        if kill_hops and chains > 1:
            raise InvalidEventError("kill_hops", form["kill_hops"], ONE_CHAIN)
        event |= {"bucket": stack.BUCKET, "manifest_prefix": place}
        job = deployed.job(event, now)
        if job is None:
            raise InvalidEventError("SOSW_CONFIG", deployed.environment.get("SOSW_CONFIG"), "must be none here")
        timeout = validation.integer("timeout", form.get("timeout", MIN_TIMEOUT), MIN_TIMEOUT, MAX_TIMEOUT)
        return cls(
            event=event,
            job=job,
            timeout=timeout,
            kept_free=times.seconds("kept_free", form.get("kept_free", timeout - 1), 0.1, timeout),
            kill_hops=kill_hops,
            rule_off_at=_hop("rule_off_at", form.get("rule_off_at", "")),
            throttle_at=_hop("throttle_at", form.get("throttle_at", "")),
            every_page=validation.flag("every_page", form.get("every_page", True)),
            seed=validation.flag("seed", form.get("seed", True)),
        )

    def parameters(self) -> dict[str, str]:
        """Return the stack's parameters."""
        return {"Timeout": str(self.timeout), "ShutdownPeriod": f"{self.kept_free:g}"}


def pdf_count(form: object) -> int:
    """
    Check the number of PDFs to make.

    :raises InvalidEventError: The number breaks its rule.
    """
    if not isinstance(form, dict):
        raise InvalidEventError("form", form, "must be an object")
    _refuse_others(form, {"count"})
    return validation.integer("count", form.get("count"), 1, MAX_PDFS)


def switch(form: object) -> bool:
    """
    Check a switch.

    :raises InvalidEventError: The value is neither on nor off.
    """
    if not isinstance(form, dict):
        raise InvalidEventError("form", form, "must be an object")
    _refuse_others(form, {"on"})
    return validation.flag("on", form.get("on"))


def _refuse_others(form: Mapping[str, Any], known: Collection[str]) -> None:
    for name in form:
        if name not in known:
            raise InvalidEventError(str(name), form[name], "is not a field of this form")


def _hop(field: str, value: object) -> int | None:
    return None if value in ("", None) else validation.integer(field, value, 0, MAX_HOP)


def _hops(field: str, value: object) -> frozenset[int]:
    """Read hop numbers, separated by commas."""
    parts = [part.strip() for part in validation.text(field, value).split(",")]
    try:
        return frozenset(validation.integer(field, part, 0, MAX_HOP) for part in parts if part)
    except InvalidEventError:
        rule = f"must be hop numbers from 0 to {MAX_HOP}, separated by commas"
        raise InvalidEventError(field, value, rule) from None
