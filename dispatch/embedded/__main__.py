"""`python -m dispatch.embedded`: run Kafka and Redis in the foreground until Ctrl-C."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from dispatch.embedded import EmbeddedError, embedded
from dispatch.embedded.jars import write_lock


def main() -> int:
    """Start both, print their addresses, wait for SIGINT or SIGTERM; the return value is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dispatch.embedded", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".dispatch"), help="data folder (%(default)s)")
    parser.add_argument("--kafka-port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--redis-port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--appendfsync", default="always", choices=("always", "everysec", "no"))
    parser.add_argument("--write-lock", action="store_true", help="resolve Kafka's jars anew")
    options = vars(parser.parse_args())
    if options.pop("write_lock"):
        _say(f"{write_lock()} jars written; install from the source tree to use them")
        return 0
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        with embedded(options.pop("folder"), progress=_say, **options) as servers:
            sys.stdout.write(f"DISPATCH_KAFKA={servers.kafka}\nDISPATCH_REDIS={servers.redis}\n")
            sys.stdout.flush()
            _say("Ctrl-C stops both")
            stop.wait()
    except KeyboardInterrupt:
        pass
    except EmbeddedError as error:
        _say(str(error))
        return 1
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
