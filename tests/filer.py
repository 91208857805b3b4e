"""A store on a file system, which lists differently from S3 after a ``StartAfter`` that is no object's key."""

from __future__ import annotations

from typing import Any

from tests.fakes import FakeS3
from tests.memory_s3 import MemoryS3


class Filer(FakeS3):
    """
    Stores folders as entries of the folder above, as SeaweedFS does.

    After such a key it leaves out the folders whose own names do not follow it, with all their objects.
    """

    def do_list_objects_v2(self, **request: Any) -> dict[str, Any]:
        above, slash, last = request.get("StartAfter", "").rpartition("/")
        left = MemoryS3([key for key in self.keys if not _is_left_out(key, above + slash, last)])
        return left.do_list_objects_v2(**request)


def _is_left_out(key: str, above: str, last: str) -> bool:
    if not key.startswith(above):
        return False
    folder, slash, _ = key[len(above) :].partition("/")
    return bool(slash) and folder <= last
