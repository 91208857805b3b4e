"""Folders of the user, as the XDG Base Directory Specification has them."""

from __future__ import annotations

import os
from pathlib import Path

from presign_siblings.errors import WrongUseError


def user_folder(variable: str, *usual: str) -> Path:
    """
    Return this program's folder under the one that a variable names, or under the usual one.

    :param variable: Such as ``XDG_STATE_HOME``.
    :param usual:    Its place in the home folder.
    :raises WrongUseError: There is no home folder: a container's user may have a number alone.
    """
    try:
        return Path(os.environ.get(variable) or Path.home().joinpath(*usual)) / "presign-siblings"
    except RuntimeError:
        raise WrongUseError(f"this user has no home folder: set HOME, or {variable}") from None
