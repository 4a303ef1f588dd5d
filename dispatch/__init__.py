"""An event-driven work-order dispatch engine: requests in, decisions out, everything an event in Kafka."""

import os

__version__ = "0.1.0"

# Before numpy is loaded: matrices are small here, and a second thread of its would only spin beside the first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
