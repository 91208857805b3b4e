"""The clients of an invocation in the simulation: S3, DynamoDB, Step Functions, and those of sosw's siblings."""

from __future__ import annotations

import functools
import hashlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

from processor.siblings.manager import SiblingsManager
from tests.fakes import Stream, presigned, refuse
from tests.simulation.network import broken_payload

if TYPE_CHECKING:
    from tests.simulation.network import Invocation
    from tests.simulation.world import World


class Connection:
    """One service's client, in one invocation: each operation crosses the network."""

    def __init__(self, world: World, invocation: Invocation) -> None:
        self._world, self._invocation = world, invocation

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):
            raise AttributeError(operation)
        return functools.partial(self._request, operation)

    async def _request(self, operation: str, **request: Any) -> Any:
        raise NotImplementedError


class DynamoConnection(Connection):
    """A DynamoDB client."""

    async def _request(self, operation: str, **request: Any) -> Any:
        serve = functools.partial(self._world.table_call, self._invocation, operation, request)
        return await self._world.network.request(self._invocation, "dynamodb", operation, serve)


class StatesConnection(Connection):
    """A client of Step Functions."""

    async def _request(self, operation: str, **request: Any) -> Any:
        serve = functools.partial(self._world.machine.call, operation, request)
        return await self._world.network.request(self._invocation, "states", operation, serve)


class S3Connection(Connection):
    """An S3 client."""

    def __init__(self, world: World, invocation: Invocation) -> None:
        super().__init__(world, invocation)
        ignored = lambda *_, **__: None  # noqa: E731 - answers here are parsed already
        self.meta = SimpleNamespace(
            events=SimpleNamespace(register=ignored, register_first=ignored, unregister=ignored)
        )

    async def _request(self, operation: str, **request: Any) -> Any:
        world, invocation = self._world, self._invocation
        world.watch.s3_issued(invocation, operation)
        serve = functools.partial(world.bucket_call, invocation, operation, request)
        answer = await world.network.request(invocation, "s3", operation, serve)
        return answer | {"Body": _Body(world, invocation, answer["Body"])} if operation == "get_object" else answer

    async def generate_presigned_url(self, _: str, *, Params: dict[str, str], ExpiresIn: int) -> str:
        """Presign with this invocation's clock."""
        return presigned(Params["Key"], ExpiresIn, self._world.clock(self._invocation))


class _Body(Stream):
    def __init__(self, world: World, invocation: Invocation, body: bytes) -> None:
        super().__init__(body)
        self._world, self._invocation = world, invocation

    async def read(self, amt: int = -1) -> bytes:
        await self._world.network.pause(self._invocation)
        if self._world.network.payload_is_cut():
            raise broken_payload()
        return await super().read(amt)


class Control:
    """EventBridge, CloudWatch and Lambda for the real ``SiblingsManager``, without a thread."""

    def __init__(self, world: World, invocation: Invocation) -> None:
        self._world, self._invocation = world, invocation

    def list_rule_names_by_target(self, **request: Any) -> dict[str, Any]:
        self._known()
        bare = request["TargetArn"].count(":") == 6
        return {"RuleNames": ["hourly"] if self._world.plan.rules and bare else []}

    def describe_rule(self, **_: Any) -> dict[str, Any]:
        self._known()
        off = self._world.holds("rules_off")
        self._invocation.saw["rules"] = "off" if off else "on"
        return {"State": "DISABLED" if off else "ENABLED"}

    def _known(self) -> None:
        self._invocation.check()
        self._invocation.saw["rules"] = "none"
        if self._world.holds("rules_unknown"):
            self._invocation.saw["rules"] = "unknown"
            raise refuse("ThrottlingException")

    def get_metric_data(self, **_: Any) -> dict[str, Any]:
        self._invocation.check()
        crowded = self._world.holds("crowded")
        self._invocation.saw |= {"crowded": crowded, "asked_at": self._world.clock(self._invocation)}
        return {"MetricDataResults": [{"Values": [50.0 if crowded else 2.0]}]}

    def invoke(self, **request: Any) -> dict[str, Any]:
        """Accept a sibling, or not, or leave it unknown: nothing here awaits, as in the processor."""
        invocation, world = self._invocation, self._world
        invocation.check()
        fate = world.queue.sibling_fate()
        payload = json.loads(request["Payload"])
        world.trace(invocation, "invoke", f"hop {payload['hop']}", fate)
        if fate == "killed before":
            invocation.kill("in the invoke")
            invocation.check()
        if fate == "refused":
            invocation.saw["refused"] = True
            raise refuse("TooManyRequestsException", "Invoke", 429)
        world.watch.invoked(invocation, payload)
        if fate not in {"unknown, lost", "dropped"}:
            world.queue.take_sibling(payload, fate)
        if fate.startswith("unknown"):
            raise ReadTimeoutError(endpoint_url="lambda")
        if fate == "killed after":
            invocation.kill("after the invoke")
            invocation.check()
        invocation.accepted = True
        return {"StatusCode": 202}


def siblings(world: World, invocation: Invocation) -> SiblingsManager:
    """Return the real component with clients of the world; sosw's constructor would create AWS's."""
    component: Any = SiblingsManager.__new__(SiblingsManager)
    component.config = dict(SiblingsManager.DEFAULT_CONFIG)
    component.events_client = component.cloudwatch_client = component.lambda_client = Control(world, invocation)
    component.sleep = lambda _: None  # a guard's retries take no virtual time
    component.recursive_loop = lambda _: "Allow"  # it only warns, and would create a client of its own
    return component  # type: ignore[no-any-return]


def holder_name(seed: int, number: int) -> str:
    """Name a claim, as ``uuid4().hex`` does."""
    return hashlib.md5(f"{seed} {number}".encode(), usedforsecurity=False).hexdigest()
