"""Rekey: the same rows under another account's key, without a word of whose they were.

``run`` reads an archive table by table and hands blocks of rows to all cores (``blocks``); ``rows`` makes one row. What
may leave an account, and what stands for it: :mod:`manabackup.rows.identity`.
"""

from .run import RekeyResult, check_opener, rekey

__all__ = ["RekeyResult", "check_opener", "rekey"]
