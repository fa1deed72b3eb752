"""How long ``oxpushctl config check --offline`` takes for 5,000 properties in 200 files: at most 1 second.

Two folders: one in which all keys are other modules', as in the etc folder of a middleware, and one in which all of
them are unknown keys below a prefix of ours. Each of these is told, with the key that was probably meant, which may
take three times as long in all: comparing every key with all known ones would take a hundred times as long.

The runs take turns, and the fastest of each counts: whatever else runs on the machine only ever adds to it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 1.0
LIMIT_RATIO = 3.0
FILES = 200
KEYS_EACH = 25
RUNS = 7
COMMAND = str(Path(sys.executable).with_name("oxpushctl"))


def foreign(number: int) -> str:
    """Return a key that is no business of ours."""
    return f"com.openexchange.module{number % FILES}.some.setting.number{number}"


def mistaken(number: int) -> str:
    """Return a key that is ours to know, and unknown."""
    return f"com.openexchange.push.credstore.option{number}"


def write_etc(etc: Path, key: Callable[[int], str]) -> None:
    """Write the files, each with comments and blank lines as packages ship them."""
    etc.mkdir()
    for file in range(FILES):
        keys = (key(file * KEYS_EACH + place) for place in range(KEYS_EACH))
        lines = (f"# What {name} is for, in a line or two\n# of text.\n{name} = value\n\n" for name in keys)
        (etc / f"module{file}.properties").write_text("".join(lines))


def time_s(arguments: list[str], state: Path) -> float:
    """Return the wall-clock time of one run; warnings are no failure."""
    start = time.perf_counter()
    subprocess.run(
        [COMMAND, *arguments],
        env=os.environ | {"STATE_DIRECTORY": str(state)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


def main() -> None:
    """Print the times; end with 1 above a limit."""
    keys = {"foreign": foreign, "mistaken": mistaken}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, key in keys.items():
            write_etc(root / name, key)
        commands = {name: ["--etc", str(root / name), "config", "check", "--offline"] for name in keys}
        for arguments in commands.values():
            time_s(arguments, root / "state")  # the first run writes the byte code
        runs = [{name: time_s(arguments, root / "state") for name, arguments in commands.items()} for _ in range(RUNS)]
    best_s = {name: min(run[name] for run in runs) for name in commands}
    ratio = best_s["mistaken"] / best_s["foreign"]
    print(
        f"config check --offline of {FILES * KEYS_EACH:,} keys in {FILES} files: {best_s['foreign'] * 1e3:.0f} ms, "
        f"at most {LIMIT_S * 1e3:.0f} (best of {RUNS}); all of them mistaken: {best_s['mistaken'] * 1e3:.0f} ms, "
        f"{ratio:.1f} times as long, at most {LIMIT_RATIO:.1f}"
    )
    sys.exit(best_s["foreign"] > LIMIT_S or ratio > LIMIT_RATIO)


if __name__ == "__main__":
    main()
