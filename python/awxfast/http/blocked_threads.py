"""Tasks of the application that wait for a thread: how they end without waiting for it."""

import contextvars

from asgiref.sync import SyncToAsync


def let_go_of_thread(context: contextvars.Context) -> None:
    """Before a task that runs in `context` is cancelled: whatever its thread does, the task's end does not wait for it.

    Django runs a request's synchronous code in an executor of the request's own. asgiref before 3.12 shuts it down on
    the event loop when the request ends, so one view that blocks would hold up everybody. Without a Django nothing
    is there to let go of.
    """
    sensitive = context.get(SyncToAsync.thread_sensitive_context)
    executor = SyncToAsync.context_to_thread_executor.pop(sensitive, None) if sensitive is not None else None
    if executor is not None:
        executor.shutdown(wait=False)
