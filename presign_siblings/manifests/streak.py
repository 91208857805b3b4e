"""When to give up: equal refusals in a row say that the links to come will be refused too."""

from __future__ import annotations

ARCHIVED = "InvalidObjectState"
# What is true of one object, and says nothing about the next.
# InvalidRequest is S3's answer for an object under its owner's own key (SSE-C).
OF_OBJECTS = frozenset({ARCHIVED, "InvalidRequest", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "HTTP 404"})


class Streak:
    """
    A run of equal refusals: the other links will not be answered otherwise, and 5,000 of them are not tried.

    :param patient: Continue whatever comes.
    """

    LINKS = 20  # equal refusals in a row that say something about links as such
    OBJECTS = 200  # of what is true of one object: those of one folder may be archived, and the next one's not

    def __init__(self, *, patient: bool = False) -> None:
        self._patient = patient
        self._code, self.length = "", 0

    def came(self) -> None:
        """Note an object that came."""
        if not self.is_hopeless:
            self.length = 0

    def refused(self, code: str) -> None:
        """Note one that did not."""
        if not self.is_hopeless:
            self.length = self.length + 1 if code == self._code else 1
            self._code = code

    @property
    def is_hopeless(self) -> bool:
        """Whether the rest is not worth a try."""
        return not self._patient and self.length >= (self.OBJECTS if self._code in OF_OBJECTS else self.LINKS)

    def __str__(self) -> str:
        """Say why it was stopped."""
        return f"{self.length} in a row were refused with {self._code}"
