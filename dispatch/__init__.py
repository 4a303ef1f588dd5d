"""An event-driven work-order dispatch engine: requests in, decisions out, everything an event in Kafka."""

__version__ = "0.1.0"
