"""The board on a terminal. It has a thread of its own, so that drawing never keeps the people of the day waiting."""

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dispatch.demo.board import Board
from dispatch.demo.board_view import view
from dispatch.demo.board_words import Words
from dispatch.demo.stage import Heard

EVERY_S = 0.25
LEAST_COLUMNS = 80


class Screen:
    """Draws what it is told of; the thread alone touches the board."""

    def __init__(self, console: Console, words: Words, now: Callable[[], datetime]) -> None:
        """``now``: domain time."""
        self._console = console
        self._words = words
        self._now = now
        self._board = Board()
        self._heard: deque[Heard] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="board", daemon=True)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Take the board away, and give the terminal back."""
        self._over.set()
        self._thread.join()

    def hear(self, event: Heard) -> None:
        """One event of any topic that the board is drawn from; from any thread."""
        self._heard.append(event)

    def _draw(self) -> None:
        with Live(Text(""), console=self._console, auto_refresh=False, transient=True) as live:
            while not self._over.wait(EVERY_S):
                while self._heard:
                    self._board.note(self._heard.popleft())
                size = self._console.size
                width = max(LEAST_COLUMNS, size.width)
                live.update(view(self._board, self._now(), self._words, width, size.height - 1), refresh=True)
