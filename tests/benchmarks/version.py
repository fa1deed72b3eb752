"""How much longer ``oxpushctl --version`` takes than starting Python and importing click: at most 1.6 times.

Both run in turn, so that a busy machine slows both; the figure is the median of the ratios of the pairs.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 1.6
PAIRS = 40


def _time_s(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians and the ratio; end with 1 above the limit."""
    version = [str(Path(sys.executable).with_name("oxpushctl")), "--version"]
    click = [sys.executable, "-c", "import click"]
    for command in (version, click):
        _time_s(command)  # the first run writes the byte code

    pairs = [(_time_s(version), _time_s(click)) for _ in range(PAIRS)]

    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    ours_ms, theirs_ms = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"oxpushctl --version {ours_ms:.0f} ms, import click {theirs_ms:.0f} ms: "
        f"{ratio:.2f} times, at most {LIMIT} ({PAIRS} pairs)"
    )
    sys.exit(ratio > LIMIT)


if __name__ == "__main__":
    main()
