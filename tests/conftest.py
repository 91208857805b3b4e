"""Settings of all tests: no test sees this machine's AWS, and the test sets the clock."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from dev import own_settings
from tests import eager_readers, fakes, quick_clients
from tests.fakes import LambdaContext, Meta, Siblings
from tests.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

own_settings.set_aside()  # at once: servers that a module or the session starts come before ``aws_environment``
# No test asserts on its own duration.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
quick_clients.use()
eager_readers.use()
# ``nohup make test &`` ignores these signals, and processes that a test starts would inherit that and miss a Ctrl-C.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)
NOW, TOKEN = fakes.NOW, fakes.TOKEN


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage of property tests: tracing hundreds of examples takes longer than running them."""
    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.no_cover)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report at the end what was not tested on this machine, and how to install what is missing."""
    reports = terminalreporter.stats.get("skipped", ())
    reasons = Counter(str(each.longrepr[2]).removeprefix("Skipped: ") for each in reports)
    if reasons:
        terminalreporter.section("not tested here")
        for reason, number in sorted(reasons.items()):
            terminalreporter.line(f"{number} of the tests: {reason}")


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Remove this machine's AWS settings and proxies; only services that a test has started can be reached."""
    # End-to-end tests install packages, for which pip may need a proxy.
    proxies = () if request.node.get_closest_marker("e2e") else ("_proxy", "_PROXY")
    for name in [name for name in os.environ if name.startswith(("AWS_", "SOSW")) or name.endswith(proxies)]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "ASIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "c2VjcmV0/c2VjcmV0+c2VjcmV0c2VjcmV0c2VjcmV0",
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_NAME": "presign",
        **own_settings.NO_ACCOUNT,
        "SOSW_CONFIG": "none",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def now() -> datetime:
    """Return the instant of the frozen clock."""
    return NOW


@pytest.fixture
def lambda_context() -> LambdaContext:
    """Return a Lambda context whose clock the test drives: set ``remaining_seconds`` or give ``ticks``."""
    return LambdaContext()


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return the Lambda handler in a cold environment, with a frozen clock; ``answer["body"]`` is parsed."""
    from processor import app  # noqa: PLC0415 - sosw makes its loggers at import

    monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: NOW))
    app.global_vars.processor = None

    def call(event: Any, context: LambdaContext | None = None) -> dict[str, Any]:
        answer = app.lambda_handler(event, context or LambdaContext())
        return answer | {"body": json.loads(answer["body"])}

    yield call
    app.global_vars.processor = None


class _Stdout:
    """The current standard output: pytest changes it between the phases of a test."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Iterator[Output]:
    """Return all that a run writes."""
    from processor.reporting import logger  # noqa: PLC0415 - as above

    handler: Any = logger.registered_handler
    stream = handler.setStream(_Stdout())
    yield Output(capsys)
    handler.setStream(stream)


@pytest.fixture
def siblings(monkeypatch: pytest.MonkeyPatch) -> Siblings:
    """Replace the siblings' Lambda client: invocations are recorded, and EventBridge and CloudWatch return nothing."""
    recorded = Siblings()

    class Silent:
        meta = Meta()

        def list_rule_names_by_target(self, **_: Any) -> dict[str, Any]:
            return {"RuleNames": []}

        def get_metric_data(self, **_: Any) -> dict[str, Any]:
            return {"MetricDataResults": []}

    def client(name: str, **_: Any) -> Any:
        return recorded if name == "lambda" else Silent()

    monkeypatch.setattr("processor.siblings.manager.boto3.client", client)
    return recorded
