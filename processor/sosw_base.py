"""
The class of sosw that the Processor extends: the only module that knows which major version of sosw is installed.

sosw 0.7 has tasks: its Orchestrator starts them, and its ``Worker`` closes them. sosw 3 has neither, and its Processor
takes the same calls as the one under 0.7's Worker.
"""

from __future__ import annotations

try:
    from sosw.worker import Worker as Base
except ModuleNotFoundError:
    from sosw.app import Processor as Base

HAS_TASKS = hasattr(Base, "mark_task_as_completed")

__all__ = ["HAS_TASKS", "Base"]
