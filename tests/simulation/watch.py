"""Invariants of each write, whichever invocation makes it; each breach is a sentence with its time."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.ledger import CHECKPOINT_LOST, COMPLETE, FAILED, FANNED_OUT, HANDED_OVER, PARKED, RUNNING
from tests.simulation.plan import PREFIX

if TYPE_CHECKING:
    from tests.simulation.dynamo import Item
    from tests.simulation.network import Invocation
    from tests.simulation.world import World

MARGIN = 10.0  # seconds; processor.lease.MARGIN, for requests under way and for clocks that differ
SKEW = 4.0  # two clocks, two seconds each
GUARD_SECONDS = 60.0  # between a guard's answer and the hand-over, with each fault
WRITES = frozenset(
    {"put_object", "create_multipart_upload", "upload_part", "upload_part_copy", "complete_multipart_upload"}
)


@dataclass(frozen=True, slots=True)
class View:
    """A record's attributes."""

    state: str
    job_id: str
    hop: int
    holder: str
    lease_until: float
    budget: tuple[int, str]
    stop: bool
    reason: str | None
    takeovers: int
    expires_at: float | None
    place: dict[str, Any]

    @classmethod
    def of(cls, item: Item, epoch: float) -> View:
        """Read an item; times become the history's seconds."""
        place = json.loads(item["place"]["S"])
        expires_at = item.get("expires_at", {}).get("N")
        return cls(
            state=item["state"]["S"],
            job_id=place["job_id"],
            hop=place["hop"],
            holder=item["holder"]["S"],
            lease_until=int(item["lease_until"]["N"]) / 1000 - epoch,
            budget=(place["budget"]["hop"], place["budget"]["since"]),
            stop=item["stop"]["BOOL"],
            reason=item["reason"].get("S"),
            takeovers=int(item["takeovers"]["N"]),
            expires_at=None if expires_at is None else int(expires_at) / 1000 - epoch,
            place=place,
        )


class Watch:
    """Checks each write."""

    def __init__(self, world: World) -> None:
        from tests.simulation.world import EPOCH  # noqa: PLC0415 - the world creates its watch

        self._world, self._epoch = world, EPOCH.timestamp()
        self.breaches: list[str] = []
        self.completed: dict[str, Item] = {}
        self.begun: list[str] = []
        self.parked: list[str] = []
        self.takeovers = self.late_writes = 0
        self._leases: dict[int, float] = {}  # by invocation, on its own clock
        self._spawned: set[tuple[str, int]] = set()
        self._handed_over: set[tuple[str, int]] = set()
        self._after_stop = 0

    def complain(self, invocation: Invocation | None, breach: str, error: BaseException | None = None) -> None:
        """Record a breach."""
        who = f"{invocation.name}: " if invocation else ""
        where = "".join(traceback.format_exception(error)) if error else ""
        self.breaches.append(f"at {self._world.loop.time():.3f} s, {who}{breach}\n{where}".rstrip())
        self._world.trace(invocation, "BREACH", breach)

    def forget(self) -> None:
        """Know of no hop: the table has forgotten them too, and a retry may begin its run again."""
        self._spawned.clear()
        self._handed_over.clear()

    def view(self, prefix: str = PREFIX) -> View | None:
        """Return the record of a prefix's job."""
        item = self._world.item_of(prefix)
        return None if item is None else View.of(item, self._epoch)

    def other_recorded(self, invocation: Invocation, item: Item) -> None:
        """Check a write to the record of a range, or of another job; it says how long its holder may write to S3."""
        new = View.of(item, self._epoch)
        share = new.place.get("share")
        name = f"of {new.place['job']['prefix']}" if share is None else f"range {share['number']}"
        self._world.trace(invocation, name, new.state, f"hop {new.hop}")
        if share is None and new.job_id not in self.begun:
            self.begun.append(new.job_id)
        if share is None and new.state == COMPLETE:
            self.completed.setdefault(new.job_id, item)
        if new.reason == CHECKPOINT_LOST:  # it begins again, in the same run
            again = _of_range(new.place)
            self._spawned = {place for place in self._spawned if place[0] != again}
        mine = new.holder == invocation.holder and new.state == RUNNING
        self._leases[invocation.number] = new.lease_until if mine else self._now(invocation)
        invocation.worked = invocation.worked or new.holder == invocation.holder

    def recorded(self, invocation: Invocation, before: Item | None, after: Item, *, claims: bool) -> None:
        """Check a write that the jobs table accepted, by a claim or by a holder."""
        new = View.of(after, self._epoch)
        old = View.of(before, self._epoch) if before else None
        self._world.trace(invocation, "record", new.state, f"hop {new.hop}", f"revision {after['revision']['N']}")
        if old is not None and claims and (old.state, old.holder) == (new.state, new.holder):
            self._remembered(invocation, before or {}, after)
            return
        if claims:
            self._claimed(invocation, old, new)
        elif old is None or old.holder != invocation.holder:
            self.complain(invocation, "the ledger accepted a write by an invocation that does not hold the lease")
        self._leases[invocation.number] = new.lease_until if new.state == RUNNING else self._now(invocation)
        self._in_budget(invocation, new)
        if new.state == HANDED_OVER:
            self._check_hand_over(invocation, old, new)
        if new.state == PARKED:
            self._check_reason(invocation, new)
        if new.state == COMPLETE:
            self.completed.setdefault(new.job_id, after)
        if new.state == FAILED:
            self._check_failure(invocation, new)

    def _remembered(self, invocation: Invocation, before: Item, after: Item) -> None:
        """Check a task's token written into a record that stays with its holder, whose lease may live."""
        others = {name for name in before if before[name] != after[name]} - {"tokens", "revision", "ttl", "written"}
        if others:
            self.complain(invocation, f"changed {sorted(others)} of a record that another invocation holds")

    def _claimed(self, invocation: Invocation, old: View | None, new: View) -> None:
        invocation.worked = invocation.worked or new.state == RUNNING
        if new.job_id not in self.begun:
            self.begun.append(new.job_id)
        if old is None:
            return
        live = old.lease_until > self._world.loop.time() + SKEW
        self.takeovers += new.takeovers > old.takeovers
        if (
            old.stop
            and not new.stop
            and new.job_id == old.job_id
            and not (invocation.resume and old.state in {PARKED, FANNED_OUT, FAILED})
        ):
            self.complain(invocation, "the stop flag was lost")
        if old.state == RUNNING and live:
            self.complain(invocation, "claimed while another lease lives")
        if old.state == HANDED_OVER and live and invocation.event_hop != old.hop:
            self.complain(invocation, "claimed what the sibling was to begin")
        if old.job_id == new.job_id:
            if new.hop != old.hop:
                self.complain(invocation, f"went from hop {old.hop} to {new.hop} by a claim")
            if new.budget != old.budget and not invocation.resume:
                self.complain(invocation, "opened a budget without a resume")
        else:
            self._check_new_run(invocation, old)

    def _check_new_run(self, invocation: Invocation, old: View) -> None:
        dead = old.expires_at is not None and old.expires_at <= self._now(invocation)
        if old.state in {RUNNING, HANDED_OVER} and not dead and not invocation.fresh:
            self.complain(invocation, f"began a new run while {old.state}")

    def _in_budget(self, invocation: Invocation, new: View) -> None:
        alone = self._world.plan.chains == 1  # with several chains, the hop's number is not what counts
        if alone and new.state in {RUNNING, HANDED_OVER} and new.hop - new.budget[0] >= self._world.plan.max_hops:
            self.complain(invocation, f"hop {new.hop} is beyond the budget that began at hop {new.budget[0]}")

    def _check_hand_over(self, invocation: Invocation, old: View | None, new: View) -> None:
        from datetime import datetime  # noqa: PLC0415

        if (new.job_id, new.hop) in self._handed_over:
            self.complain(invocation, f"hop {new.hop} was handed over twice: a fork")
        self._handed_over.add((new.job_id, new.hop))
        if old is not None and new.hop != old.hop + 1:
            self.complain(invocation, f"handed over hop {new.hop} after hop {old.hop}")
        # The write may have been on its way for minutes: what counts is when the guards were asked.
        asked_at = invocation.saw.get("asked_at", self._world.clock(invocation))
        age = (asked_at - datetime.fromisoformat(new.budget[1])).total_seconds()
        if age > self._world.plan.max_job_seconds + GUARD_SECONDS:
            self.complain(invocation, f"handed over at the age of {age:.0f} s")
        rules = invocation.saw.get("rules", "none" if new.place["event_rules"] == [] else "never asked")
        if rules not in {"on", "none"} and not new.place["job"]["force"]:
            self.complain(invocation, f"handed over, rules: {rules}")
        if invocation.saw.get("crowded", True):
            self.complain(invocation, "handed over into a crowd")
        self._after_stop = self._after_stop + 1 if new.stop else 0
        if self._after_stop > 1:
            self.complain(invocation, "handed over again after an operator's stop")

    def _check_reason(self, invocation: Invocation, new: View) -> None:
        """Check that a guard really tripped."""
        from datetime import datetime  # noqa: PLC0415

        plan, reason = self._world.plan, str(new.reason)
        self.parked.append(reason)
        age = self._now(invocation) - (datetime.fromisoformat(new.budget[1]).timestamp() - self._epoch)
        saw = invocation.saw
        really = {
            "max_hops": new.hop - new.budget[0] >= plan.max_hops or plan.chains > 1,
            "max_job_seconds": age >= plan.max_job_seconds,
            "stopped": new.stop,
            "rules_disabled": saw.get("rules") == "off",
            "rules_unknown": saw.get("rules") == "unknown",
            "max_concurrent_siblings": saw.get("crowded", False),
            "sibling_refused": saw.get("refused", False),
            "execution_refused": plan.refused[0] <= self._world.loop.time(),
            "chains_lost": plan.chains > 1,
        }
        of_ranges = plan.chains > 1 and {"S": reason} in [item["reason"] for item in self._world.table.items.values()]
        if not (really.get(reason.split(":", maxsplit=1)[0], False) or of_ranges):
            self.complain(invocation, f"parked for {reason}, which did not happen")

    def _check_failure(self, invocation: Invocation, new: View) -> None:
        """Check that the design allows this failure."""
        plan, now = self._world.plan, self._world.loop.time()
        really = {
            "SourceRefusedError": plan.denied[0] <= now,
            "no_progress_after_takeovers": new.takeovers >= 3,
            # With an emptied table, a run may be divided twice, and its machine works on the first plan.
            "checkpoint_lost": min(plan.upload_lost_at, plan.objects_lost[0], plan.emptied_at) <= now,
            "ChainFailedError": plan.chains > 1,
        }
        if not really.get(str(new.reason), False):
            self.complain(invocation, f"failed for {new.reason}, which did not happen")

    def s3_issued(self, invocation: Invocation, operation: str) -> None:
        """Check a request to S3 as it is sent."""
        if operation not in WRITES or invocation.dead is not None:
            return
        over = self._now(invocation) - self._leases.get(invocation.number, 0.0)
        if over > 0:
            self.complain(invocation, f"sends {operation} {over:.1f} s after its lease ended")

    def s3_served(self, invocation: Invocation, operation: str) -> None:
        """Check a request to S3 as it takes effect."""
        over = self._now(invocation) - self._leases.get(invocation.number, 0.0)
        self.late_writes += operation in WRITES and over > MARGIN

    def appeared(self, key: str, body: bytes) -> None:
        """Check an object that appears."""
        if self._world.bucket.objects.get(key, body) != body:
            self.complain(None, f"{key} was replaced")

    def invoked(self, invocation: Invocation, payload: dict[str, Any]) -> None:
        """Check a call of a sibling."""
        place = _of_range(payload), payload["hop"]
        if place in self._spawned:
            self.complain(invocation, f"called a second sibling for hop {payload['hop']}")
        self._spawned.add(place)

    def answered(self, invocation: Invocation, status_code: int, body: dict[str, Any]) -> None:
        """Check an answer."""
        if status_code == 409 and body["status"] == "parked" and "resume" not in body:
            self.complain(invocation, "parked without a resume payload")
        if status_code == 200 and body["job_id"] not in self.completed:
            self.complain(invocation, "answers complete, but is not")

    def _now(self, invocation: Invocation) -> float:
        return self._world.loop.time() + invocation.skew


def _of_range(place: dict[str, Any]) -> str:
    """Return a name of the run, or of its range, that a place belongs to."""
    return f"{place['job_id']} {place.get('share', {}).get('number')}"
