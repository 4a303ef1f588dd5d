"""A whole day on a real Kafka and Redis: a campus of requests, and people who act on them as clients of the topics.

``dispatch demo`` calls :func:`dispatch.demo.runner.run_demo`; ``python -m dispatch.demo`` does the same.
"""
