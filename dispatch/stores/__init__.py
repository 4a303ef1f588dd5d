"""Where lanes keep their state: Redis, and an in-memory twin held to the same contract tests."""
