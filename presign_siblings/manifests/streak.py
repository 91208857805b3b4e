"""When to give up: equal refusals in a row mean that the next links will be refused too."""

from __future__ import annotations

from processor.causes import ARCHIVED, GONE

# Faults of one object, which say nothing about the next one.
# InvalidRequest is S3's answer for an object under its owner's own key (SSE-C).
OF_OBJECTS = GONE | {ARCHIVED, "InvalidRequest"}


class Streak:
    """
    A run of equal refusals: the other links would be refused too, so they are not tried.

    :param patient: Continue through any number of refusals.
    """

    LINKS = 20  # equal refusals in a row, of a kind that is not about one object
    OBJECTS = 200  # equal faults of objects in a row: the next folder may not be archived

    def __init__(self, *, patient: bool = False) -> None:
        self._patient = patient
        self._code, self.length = "", 0

    def came(self) -> None:
        """Note an object that came."""
        if not self.is_hopeless:
            self.length = 0

    def refused(self, code: str) -> None:
        """Note an object that did not come."""
        if not self.is_hopeless:
            self.length = self.length + 1 if code == self._code else 1
            self._code = code

    @property
    def is_hopeless(self) -> bool:
        """Whether the rest is not worth a try."""
        return not self._patient and self.length >= (self.OBJECTS if self._code in OF_OBJECTS else self.LINKS)

    def __str__(self) -> str:
        """Return why the work was stopped."""
        return f"{self.length} in a row were refused with {self._code}"
