"""The page size of a rehearsed chain."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest

from dev import chain


@pytest.mark.parametrize("objects", [4, 20, 21, 126, 300, 1999])
def test_a_small_job_has_a_sibling_for_each_page(objects: int) -> None:
    """At least three hand-overs, and far fewer than the hop budget, however fast the machine."""
    pace = chain.measured_pace(cast("Any", None), objects)
    pages = math.ceil(objects / pace.page_size)
    assert min(objects, 10) <= pages <= 20
    assert pace.work == 0
    assert float(pace.parameters()["ShutdownPeriod"]) == float(pace.parameters()["Timeout"])
