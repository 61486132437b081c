"""No IV serves twice: not in one thread or several, and not on both sides of a fork."""

from __future__ import annotations

import subprocess
import sys
import threading

from manabackup.crypto.fields import FieldCipher

FORKED = """
import os
from manabackup.crypto.fields import FieldCipher

cipher = FieldCipher(bytes(32))
seen = {cipher.encrypt(b"1")}
read, write = os.pipe()
child = os.fork()
texts = [cipher.encrypt(b"1") for _ in range(2_000)]
if child == 0:
    os.close(read)
    with os.fdopen(write, "w") as out:
        out.write("\\n".join(texts))
    os._exit(0)
os.close(write)
with os.fdopen(read) as received:
    texts += received.read().split("\\n")
os.waitpid(child, 0)
seen.update(texts)
print(len(seen))
"""


def iv(value: str) -> str:
    return value.removeprefix("enc:1:").partition(".")[0]


def test_threads_that_share_a_cipher_never_share_an_iv() -> None:
    cipher = FieldCipher(bytes(32))
    values: list[list[str]] = [[] for _ in range(8)]
    start = threading.Barrier(len(values))

    def work(into: list[str]) -> None:
        start.wait()
        into.extend(cipher.encrypt(b"1") for _ in range(3_000))

    threads = [threading.Thread(target=work, args=(into,)) for into in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({iv(value) for into in values for value in into}) == 8 * 3_000


def test_two_ciphers_under_one_key_never_share_an_iv() -> None:
    one, other = FieldCipher(bytes(32)), FieldCipher(bytes(32))
    values = [cipher.encrypt(b"1") for _ in range(1_500) for cipher in (one, other)]
    assert len(set(map(iv, values))) == 3_000


def test_a_forked_process_uses_no_iv_that_its_parent_will_use() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "4001"
