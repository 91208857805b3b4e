"""How many examples a property test tries: enough in the gate, more in `make soak`."""

from __future__ import annotations

import os

from hypothesis import settings

TIMES = int(os.environ.get("EXAMPLES", "1"))


def examples(number: int) -> settings:
    """
    Return the settings of a property test that takes long.

    :param number: Examples in the gate; `make soak` takes a multiple of it.
    """
    return settings(max_examples=number * TIMES, deadline=None)
