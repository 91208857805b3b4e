"""Which keys to take, by ``--include`` and ``--exclude``: the last that matches decides, as in the AWS CLI."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INCLUDE, EXCLUDE = "--include", "--exclude"


@dataclass(frozen=True, slots=True)
class Patterns:
    """
    Patterns in the order of the command line. A key that none matches is taken, unless the first is an ``--include``.

    The AWS CLI would take it there, too, and an ``--include`` alone would then take everything.

    :param rules: Whether to take a key that matches, and the pattern.
    """

    rules: tuple[tuple[bool, re.Pattern[str]], ...] = ()

    @classmethod
    def of(cls, arguments: Sequence[str], include: Sequence[str], exclude: Sequence[str]) -> Patterns:
        """
        Read the options' values.

        :param arguments: The command line, which alone shows the order of the two options.
        """
        values = {INCLUDE: iter(include), EXCLUDE: iter(exclude)}
        found = (name for each in arguments if (name := each.partition("=")[0]) in values)
        pairs = ((name, next(values[name], None)) for name in found)
        rules = ((name == INCLUDE, re.compile(translate(glob))) for name, glob in pairs if glob is not None)
        return cls(tuple(rules))

    def take(self, key: str) -> bool:
        """Whether a key is taken."""
        if not self.rules:
            return True
        included_first, _ = self.rules[0]
        return next((taken for taken, glob in self._last_first() if glob.match(key)), not included_first)

    def _last_first(self) -> Iterator[tuple[bool, re.Pattern[str]]]:
        return reversed(self.rules)
