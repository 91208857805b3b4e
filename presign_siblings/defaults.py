"""Defaults and limits of the options, in a module that imports nothing."""

from __future__ import annotations

FUNCTION = "presign_siblings"  # the template's NameUnderscored
WEEK_SECONDS = 7 * 24 * 3600  # the longest duration that any option takes
MAX_READ_SECONDS = 900  # the longest --read-timeout
PRIVATE = 0o600  # a manifest holds live URLs: its file is for its owner alone
HOP_SECONDS = 20.0  # between the checkpoints of a run on this machine
STREAMS = ("-", "/dev/stdout", "/dev/fd/1")  # all are standard output
CHOSEN_PROFILE = "PRESIGN_SIBLINGS_PROFILE"  # set for this process: --profile overrides the environment's credentials
