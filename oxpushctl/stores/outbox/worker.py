"""One thread beside the loop that does one thing after the other."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_Job = tuple[Callable[[], Any], Callable[[Any, Exception | None], None], asyncio.AbstractEventLoop]


class Worker:
    """Does what blocks, in the order in which it was asked for; ``end`` lets the thread go."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], _Result], then: Callable[[_Result | None, Exception | None], None]) -> None:
        """Have something done; ``then`` is called on the loop with what it returned, or with what it raised."""
        self._jobs.put((work, then, asyncio.get_running_loop()))

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Have something done, and return or raise as it does; it is done even if nobody waits for it any more."""
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()

        def settle(result: _Result | None, error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # without an error it is what work returned

        self.submit(work, settle)
        return await future

    def end(self) -> None:
        """End the thread behind what it has to do, and wait for that."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, then, loop = job
            result, error = None, None
            try:
                result = work()
            except Exception as problem:  # noqa: BLE001  # handed to whoever asked for it
                error = problem
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                loop.call_soon_threadsafe(then, result, error)
