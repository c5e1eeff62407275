"""Who wants to know what changed. Use cases publish topics after the commit; screens subscribe.

Topics: "experiments" "datasets" "dataset:ID" "groups" "group:ID" "categories:GROUP" "annotations:GROUP" "runs" "run:ID"
"settings", and EVERYTHING after a backup was restored.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

EVERYTHING = "everything"
Subscriber = Callable[[frozenset[str]], object]


class Changes:
    """Subscribers are called in the thread that publishes; a window hands over to its own thread itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Returns what ends the subscription; ending it twice does no harm."""

        def unsubscribe() -> None:
            with self._lock:
                # By identity: two bound methods of one object are equal, and each has its own subscription.
                self._subscribers = [each for each in self._subscribers if each is not own]

        def own(topics: frozenset[str]) -> None:
            subscriber(topics)

        with self._lock:
            self._subscribers.append(own)
        return unsubscribe

    def publish(self, *topics: str) -> None:
        """Tells everybody, also when one of them fails; the first failure is raised then."""
        if not topics:
            return
        with self._lock:
            subscribers = list(self._subscribers)
        failures: list[Exception] = []
        for subscriber in subscribers:
            try:
                subscriber(frozenset(topics))
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]
