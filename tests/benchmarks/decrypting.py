"""How long it takes to decrypt 100,000 kept passwords of one salt: less than 2 s, with the Argon2 for the salt.

    .venv/bin/python -m tests.benchmarks.decrypting [--passwords N]

Through the vault, out of the memory of this process, as an engine does at its start. What a password of another salt
costs is printed beside it: that is what the middleware writes, a salt each.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time

from oxpushctl.model import Credential, KeptCredential, Origin, PushUser
from oxpushctl.stores.cipher import Cipher
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.vault import Vault

LIMIT_S = 2.0
FOREIGN = 20
PASSPHRASE = "benchmark"
USERS_EACH_CONTEXT = 5000


async def filled(count: int) -> MemoryCredentialRows:
    """Keep a password for each of many users."""
    rows = MemoryCredentialRows()
    vault = Vault(rows, PASSPHRASE)
    for number in range(count):
        user = PushUser(number // USERS_EACH_CONTEXT + 1, number % USERS_EACH_CONTEXT + 1)
        await vault.put(Credential(user, f"user{number}@example.org", f"pässword {number}"), Origin.SUBSCRIBING)
    await vault.aclose()
    return rows


async def decrypted(rows: MemoryCredentialRows) -> tuple[float, int]:
    """Return how long a vault takes to open and decrypt everything, and how many passwords that were."""
    vault = Vault(rows, PASSPHRASE)
    start = time.perf_counter()
    passwords = [(await vault.decrypted(kept)).secret async for kept in vault.kept()]
    elapsed_s = time.perf_counter() - start
    await vault.aclose()
    return elapsed_s, len(set(passwords))


async def decrypted_foreign(rows: MemoryCredentialRows) -> float:
    """Return the milliseconds that a password of another salt takes."""
    vault = Vault(rows, PASSPHRASE)
    await vault.open()
    times_ms = []
    for number in range(1, FOREIGN + 1):
        kept = KeptCredential(PushUser(1, number), "user", Cipher(PASSPHRASE).encrypt("password"), Origin.COMMAND)
        start = time.perf_counter()
        await vault.decrypted(kept)
        times_ms.append((time.perf_counter() - start) * 1e3)
    await vault.aclose()
    return statistics.median(times_ms)


async def measure(count: int) -> tuple[float, float]:
    """Return the seconds for all passwords of one salt, and the milliseconds for one of another."""
    rows = await filled(count)
    elapsed_s, found = await decrypted(rows)
    assert found == count
    return elapsed_s, await decrypted_foreign(rows)


def main() -> None:
    """Print the figures; end with 1 above the limit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--passwords", type=int, default=100_000)
    count = parser.parse_args().passwords
    elapsed_s, foreign_ms = asyncio.run(measure(count))
    print(f"{count:,} passwords of one salt decrypted in {elapsed_s:.2f} s, at most {LIMIT_S:.0f}")
    print(f"one of another salt in {foreign_ms:.1f} ms (median of {FOREIGN})")
    sys.exit(elapsed_s > LIMIT_S)


if __name__ == "__main__":
    main()
