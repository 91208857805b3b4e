"""The description of one field of a job, and the search for its value."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from processor.job import s3_names, times, validation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Rule(NamedTuple):
    """
    What a value must be.

    :param check: Takes the field's label and the value as written, returns the value as a job holds it, or raises
        ``InvalidEventError``.
    :param says:  The rule in words, for the reference page and the command line.
    """

    check: Callable[[str, Any], Any]
    says: str


def integer(low: int, high: int) -> Rule:
    """Demand an integer of the closed range."""
    return Rule(lambda label, value: validation.integer(label, value, low, high), f"{low} to {high}")


def duration(low: int, high: int) -> Rule:
    """Demand seconds of the closed range, or a duration within it."""
    return Rule(
        lambda label, value: times.duration(label, value, low, high),
        f"{low} to {high} seconds, or a duration: `12h`, `7d`, `P1DT12H`",
    )


def choice(*words: str) -> Rule:
    """Demand one of the words."""
    return Rule(lambda label, value: validation.choice(label, value, words), " or ".join(f"`{word}`" for word in words))


def subset(*words: str) -> Rule:
    """Demand any of the words, each once; the result has them in their own order."""
    quoted = ", ".join(f"`{word}`" for word in words)

    def check(label: str, value: object) -> tuple[str, ...]:
        found = [validation.choice(label, each, words) for each in validation.several(label, value)]
        return tuple(word for word in words if word in found)

    return Rule(check, f"any of {quoted}, as a list or with commas")


def not_empty(rule: Rule) -> Rule:
    """Demand at least one character, in addition to another rule."""
    return Rule(lambda label, value: validation.not_empty(label, rule.check(label, value)), f"{rule.says}, not empty")


BUCKET = Rule(s3_names.bucket, "an S3 bucket name")
SOURCE_BUCKET = Rule(s3_names.source_bucket, "an S3 bucket name, or an access point's alias or ARN")
FLAG = Rule(validation.flag, "`true` or `false`")
SWITCH = Rule(validation.switch, "`true` or `false`")
INSTANT = Rule(times.instant, "ISO 8601; UTC when it has no offset")
KEY = Rule(s3_names.key, f"at most {s3_names.MAX_KEY_BYTES:,} UTF-8 bytes")
MANIFEST_PLACE = Rule(
    s3_names.manifest_place,
    f"at most {s3_names.MAX_PLACE_BYTES} UTF-8 bytes, not empty, without `.` and `..` as path segments",
)
TEXT = Rule(validation.text, "a string")
LINE = Rule(validation.line, f"one line of at most {validation.MAX_LINE} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """
    The description of a field; ``name``, ``default`` and ``required`` come from the attribute that it annotates.

    :param rule:     What a value must be.
    :param help:     What the field means, for the reference page and the command line.
    :param env:      Environment variable that may hold the field; the config row may hold it then, too.
    :param identity: The field changes the manifest, so another value is another job: it is part of ``job_key``.
    :param absent:   Value, in words, of a field without a default.
    :param several:  The field may be a list: in the environment with commas or as JSON, as an option more than once.
    :param flag:     True or absent: an option without a value.
    :param metavar:  What the command line calls the value; ``None``: ``run`` and ``invoke`` have no such option.
    """

    rule: Rule
    help: str
    env: str | None = None
    identity: bool = False
    absent: str = ""
    metavar: str | None = None
    flag: bool = False
    several: bool = False
    name: str = ""
    default: Any = None
    required: bool = False

    def find(
        self, event: Mapping[str, Any], config: Mapping[str, Any], environment: Mapping[str, str]
    ) -> tuple[str, Any]:
        """
        Return the first value in order of precedence, with the label of the place that holds it.

        :return: ``None`` as the value of a field without value and default.
        """
        if event.get(self.name) is not None:
            return self.name, event[self.name]
        if self.env is not None:
            if config.get(self.name) is not None:
                return f"{self.name} of the config row", config[self.name]
            if self.env in environment:
                written = environment[self.env]
                return self.env, validation.listed(written) if self.several else written
        return self.name, self.default


def table_of(annotated: type) -> dict[str, Field]:
    """Return the fields that a dataclass's annotations hold, by name."""
    hints = get_type_hints(annotated, include_extras=True)
    return {
        each.name: replace(
            hints[each.name].__metadata__[0],
            name=each.name,
            default=None if each.default is MISSING else each.default,
            required=each.default is MISSING,
        )
        for each in fields(annotated)
    }
