"""All benchmarks, one after another; each prints one JSON line on standard output. The worst exit code is ours."""

import subprocess
import sys

NAMES = ("throughput", "latency", "poison", "deliveries", "triage", "places", "replay_boston")

if __name__ == "__main__":
    codes = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in NAMES]
    sys.exit(max(codes))
