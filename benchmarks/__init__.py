"""How fast the engine is, and compared with what: each module runs alone as ``python -m benchmarks.NAME``."""
