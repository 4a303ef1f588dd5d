"""A sampling profiler: where a process is at every tick (some milliseconds) of the processor time that it uses.

Unlike cProfile it does not make small functions look expensive, and neighbours on the machine do not show in it.
A call into C counts for the function that made it.
"""

import signal
import time
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY_S = 0.001
SHOWN = 70
Place = tuple[str, int, str]


class Sampler:
    """Samples between :meth:`start` and :meth:`stop`; POSIX, main thread."""

    def __init__(self) -> None:
        """Nothing is sampled yet."""
        self.samples = 0
        self.own: Counter[Place] = Counter()
        self.lines: Counter[Place] = Counter()
        self.total: Counter[Place] = Counter()

    def start(self) -> None:
        """Begin."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)

    def stop(self) -> None:
        """End."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        self.samples += 1
        if frame is not None:
            self.own[_function(frame)] += 1
            self.lines[frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname] += 1
        seen: set[Place] = set()
        while frame is not None:
            seen.add(_function(frame))
            frame = frame.f_back
        self.total.update(seen)

    def write(self, path: Path) -> None:
        """Three tables: time in functions themselves, in single lines, and in functions with all that they call."""
        tables = (("functions", self.own), ("lines", self.lines), ("functions and all below", self.total))
        with path.open("w", encoding="utf-8") as file:
            file.write(f"{self.samples} samples of {time.process_time() / max(1, self.samples) * 1000:.1f} ms\n")
            for title, counts in tables:
                file.write(f"\n{title}\n")
                for (name, line, function), count in counts.most_common(SHOWN):
                    short = "/".join(Path(name).parts[-3:])
                    file.write(f"{count / self.samples:7.2%}  {short}:{line} {function}\n")


def _function(frame: FrameType) -> Place:
    code = frame.f_code
    return code.co_filename, code.co_firstlineno, code.co_qualname
