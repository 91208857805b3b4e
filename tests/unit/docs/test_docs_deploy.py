"""The pages about the stack match the template, and have the computed costs of a job."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dev.checkout import REPOSITORY
from presign_siblings.deploy import cost, template
from tests.stack_template import role_statements

DOCS = REPOSITORY / "docs"
STACK = (DOCS / "reference" / "stack.md").read_text(encoding="utf-8")
CHAINS = (DOCS / "explanation" / "chains.md").read_text(encoding="utf-8")
COSTS = (DOCS / "explanation" / "costs.md").read_text(encoding="utf-8")
OPERATE = (DOCS / "guides" / "operate.md").read_text(encoding="utf-8")
LOADED = template.load()
PRICES = cost.Prices()


def _rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its first two lines."""
    section = page.partition(f"# {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_parameter_has_its_row_and_its_default() -> None:
    """A reader finds every parameter by name, and none that does not exist."""
    rows = {name: (row, place) for row in _rows(STACK, "Parameters") for place, name in enumerate(_names(row[0]))}
    assert rows.keys() == LOADED["Parameters"].keys()
    for name, (row, place) in rows.items():
        written = _names(row[1])
        default = str(LOADED["Parameters"][name].get("Default", ""))
        if default and written and name not in {"CodeKey", "Runtime", "Architecture", "LiveVersion"}:
            assert written[place] == default, name


def _statements() -> dict[str, Any]:
    return {statement["Sid"]: statement for statement in role_statements()}


def test_every_right_of_the_role_is_listed() -> None:
    """With its statement: an approver of the stack reads one table."""
    rows = _rows(STACK, "What the role may do")
    statements = _statements()
    written = {name: row for row in rows for name in _names(row[0]) if name in statements}
    assert written.keys() == statements.keys()
    for name, row in written.items():
        actions = statements[name]["Action"]
        assert set([actions] if isinstance(actions, str) else actions) <= set(_names(row[1])), name
    every = {
        action
        for each in statements.values()
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert {name for row in rows for name in _names(row[1])} == every


def test_every_alarm_has_its_row_and_its_section() -> None:
    """Under the name in the notification: its severity, the first thing to check, and how it ends."""
    resolver = template.Resolver(LOADED, {"NameUnderscored": "presign_siblings"})
    alarms = [each["Properties"] for each in LOADED["Resources"].values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    names = {resolver.resolve(each["AlarmName"]) for each in alarms}
    assert set(re.findall(r"^### (presign_siblings_\w+)$", OPERATE, re.MULTILINE)) == names
    rows = re.findall(r"^\| \[\w+\]\(#(\w+)\) \| (wake|ticket) \|[^|]+\|[^|]+\|[^|]+\|$", OPERATE, re.MULTILINE)
    assert {name for name, _ in rows} == names
    assert all("docs/guides/operate.md" in each["AlarmDescription"] for each in alarms)


@pytest.mark.parametrize("row", _rows(COSTS, "Costs"), ids=lambda row: str(row[0]))
def test_the_costs_are_the_computed_ones(row: list[str]) -> None:
    """Each number in the table, from the prices below it."""
    keys = int(row[0].replace(",", ""))
    plain, gzip = cost.Job(keys), cost.Job(keys, compression="gzip")
    costs = plain.costs(PRICES)
    dollars = [
        costs["Lambda"],
        costs["S3 requests"],
        costs["S3 storage"],
        gzip.costs(PRICES)["S3 storage"],
        plain.total(PRICES),
        gzip.total(PRICES),
        plain.total(PRICES, tries=3),
    ]
    assert row[1:] == [str(plain.hops), *(f"${each:.4f}" for each in dollars)]


@pytest.mark.parametrize("row", _rows(CHAINS, "What it costs"), ids=lambda row: f"{row[0]} {row[1]}")
def test_the_costs_of_several_chains_are_the_computed_ones(row: list[str]) -> None:
    """The worst case too: every task is given out, and every hop tried, as often as possible."""
    shared = cost.Chains(cost.Job(int(row[0].replace(",", ""))), int(row[1]))
    definition = str(LOADED["Resources"]["StateMachine"]["Properties"]["DefinitionString"])
    starts = 1 + int(
        re.findall(r'"States.HeartbeatTimeout"\], "IntervalSeconds": 1, "MaxAttempts": (\d+)', definition)[0]
    )
    tries = 1 + LOADED["Resources"]["EventInvokeConfig"]["Properties"]["MaximumRetryAttempts"]
    assert f"given out {starts} times" in CHAINS
    dollars = [*shared.costs(PRICES).values(), shared.total(PRICES), shared.total(PRICES, starts, tries)]
    assert row[2:] == [str(shared.ranges), *(f"${each:.4f}" for each in dollars)]


def test_the_formula_counts_the_tries_of_the_template() -> None:
    """``MaximumRetryAttempts`` tries on top of the first: only the storage is paid once."""
    tries = 1 + LOADED["Resources"]["EventInvokeConfig"]["Properties"]["MaximumRetryAttempts"]
    assert f"so `tries` is {tries} where" in COSTS
    job = cost.Job(100_000_000)
    once, thrice = job.costs(PRICES), job.costs(PRICES, tries)
    assert thrice["S3 storage"] == once["S3 storage"]
    for name in once.keys() - {"S3 storage"}:
        assert thrice[name] == pytest.approx(tries * once[name])


def test_the_fixed_costs_are_the_computed_ones() -> None:
    """A further alarm changes the sentence, and so do many further metrics."""
    standing = cost.standing(PRICES)
    sentence = re.sub(r"\s+", " ", COSTS.partition("The stack itself costs")[2].partition("\n\n")[0])
    below = re.match(r" less than \$(\d+) a month", sentence)
    assert below
    assert int(below[1]) - 2 < sum(standing.values()) < int(below[1])
    alarms = sum(each["Type"] == "AWS::CloudWatch::Alarm" for each in LOADED["Resources"].values())
    assert f"${PRICES.metric_month:.2f} for each metric" in sentence
    assert f"${standing['alarms']:.2f} for {alarms} alarms" in sentence
    assert f"${standing['dashboard']:.2f} for the dashboard" in sentence
    assert f"${standing['queue']:.2f} for the polling" in sentence


def test_every_price_is_listed_below_the_table() -> None:
    """With its source, or a note that it has none."""
    prices = COSTS.partition("The prices were read on")[2].partition("\n## ")[0]
    assert f"{PRICES.gb_second:.10f}" in prices
    for dollars in (PRICES.write_unit * 1e6, PRICES.s3_request * 1e3, PRICES.s3_gb_month):
        assert f"${dollars:.3f}" in prices
    for dollars in (PRICES.log_gb, PRICES.metric_month, PRICES.alarm_month, PRICES.dashboard_month):
        assert f"${dollars:.2f}" in prices
    for dollars in (PRICES.invocation, PRICES.event, PRICES.queue_request):
        assert f"${dollars * 1e6:.2f}" in prices


def test_a_job_of_more_hops_costs_more_and_never_exceeds_its_budgets() -> None:
    """A hundred million keys in one slow chain stay within the default hops and age."""
    job = cost.Job(100_000_000)
    defaults = {name: each.get("Default") for name, each in LOADED["Parameters"].items()}
    assert job.hops < defaults["MaxHops"]
    assert job.seconds < int(defaults["MaxJobSeconds"])
    assert job.total(PRICES) > cost.Job(1_000_000).total(PRICES) > cost.Job(1000).total(PRICES)
