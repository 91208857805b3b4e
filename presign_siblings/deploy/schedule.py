"""How long a schedule starts no job, as far as its expression shows."""

from __future__ import annotations

import re

_RATE = re.compile(r"rate\((\d+) (hour|day)s?\)")
_HOURS = {"hour": 1, "day": 24}
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ANY = frozenset({"*", "?"})
_WEEK, _MONTH = 7 * 24, 28 * 24  # hours


def longest_rest(expression: str) -> int:
    """
    Return the longest time between two starts, in hours; less where the expression does not show it.

    :param expression: ``cron(...)``, ``rate(...)`` or ``at(...)``, as EventBridge takes it.
    """
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        return int(rate[1]) * _HOURS[rate[2]]
    if not expression.startswith("cron("):
        return 0
    _, _, day, month, weekday, year = expression.removeprefix("cron(").rstrip(" )").split()
    if {month, year} - _ANY or day.isdigit() or "L" in day:
        return _MONTH
    return 24 if weekday in _ANY else _between_weekdays(weekday.upper())


def _between_weekdays(field: str) -> int:
    """Return the longest time between the days of a week that a field of cron names, in hours."""
    if "#" in field or "L" in field:
        return _WEEK
    days = sorted({day for each in field.split(",") for day in _days(*each.partition("-")[::2])})
    return 24 * max((after - day - 1) % 7 + 1 for day, after in zip(days, [*days[1:], days[0]], strict=True))


def _days(first: str, last: str) -> list[int]:
    """Return the numbers of the days from the first to the last, if there is one; all for what is no name or number."""
    names = {**{str(number + 1): number for number in range(7)}, **{name: n for n, name in enumerate(_DAYS)}}
    if first not in names or (last or first) not in names:
        return list(range(7))
    begin = names[first]
    return [(begin + ahead) % 7 for ahead in range((names[last or first] - begin) % 7 + 1)]
