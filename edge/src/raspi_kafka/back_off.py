"""How long to wait before something outside is tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenacity import (
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import Any

# The random part keeps processes that lost the same server from coming back to it at the same moment.
LEAST_S, MOST_S = 0.2, 15.0


def until_it_works(ended: threading.Event, failure: type[Exception], tell: Callable[[Exception], Any]) -> Retrying:
    """Return what calls a function until it does not raise `failure`.

    When `ended` is set, it raises tenacity.RetryError after the next failure.

    :param tell: is given each failure before the pause.
    """
    return Retrying(
        retry=retry_if_exception_type(failure),
        wait=wait_random_exponential(multiplier=1, min=LEAST_S, max=MOST_S),
        stop=stop_when_event_set(ended),
        sleep=sleep_using_event(ended),
        before_sleep=lambda state: tell(state.outcome.exception()),
    )
