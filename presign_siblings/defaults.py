"""What stands where an option does not, in a module that imports nothing."""

from __future__ import annotations

FUNCTION = "presign_siblings"  # the template's NameUnderscored
HOP_SECONDS = 20.0  # between the checkpoints of a run on this machine
