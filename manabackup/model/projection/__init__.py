"""From changes to rows: the same changes give the same rows on every machine and at every time.

The server stores changes and never merges them; this package does. It reads no clock, touches no disk, decrypts
nothing, and leaves the parsed changes it is given as they are. The web app has a rule of its own for the same job,
which depends on when a device replays the changes; where the two differ, the record says so (:class:`Oddity`).

The rules, by the numbers that the code and the tests use:

1. Changes come in the server's order, one record at a time, each event once. A collection that carries a table's own
   name follows the table's registered collection (:attr:`manabackup.model.registry.Table.collections`).
2. An insert with a string time in its data (``updatedAt``, else ``createdAt``) wins field by field where its time is
   not less than the field's stamp. Times are compared as strings, as every web client does.
3. An insert without one overwrites every field it carries and leaves the stamps as they were, so that every later
   stamped update wins. When its data equal those of an earlier insert, it is a retried push and ignored.
4. A timed update field wins where its time is not less than the stamp. One without a time is applied in stream order
   and leaves the stamp. Older clients send ``updatedAt`` in place of ``at``.
5. A dotted name in an update is a path into plain objects; its stamp is kept under the whole dotted name. Missing
   parents are made, arrays are replaced whole, a path through anything else is dropped and noted. In the data of an
   insert a key with a dot is just a key.
6. A delete with a time is a tombstone where its time is not less than the stamp of ``deletedAt``, also for a record not
   seen before. ``deletedAt: null`` revives. A delete without a time removes the row and all memory of it. An insert on
   a tombstone fills fields and leaves it deleted.
7. ``id``, ``_updatedAtIndex`` and names starting with ``__`` are never data, nor are paths that start with them.
8. In a space-scoped table a missing ``spaceId`` is taken from the first change of the record that carries one.
9. A change that fails the acceptance test is set aside with a reason, and what clients may show differently is noted.
10. A row's values go one way, who wrote what when goes another: :func:`meta_line` and :func:`read_meta`.
"""

from .acceptance import MalformedReason, accept
from .fold import fold
from .meta import MetaLineError, Numbering, RowMeta, check_meta, from_field_meta, meta_line, read_meta
from .record import UNKNOWN, Oddity, OddityKind, Record, Stamp

__all__ = [
    "UNKNOWN",
    "MalformedReason",
    "MetaLineError",
    "Numbering",
    "Oddity",
    "OddityKind",
    "Record",
    "RowMeta",
    "Stamp",
    "accept",
    "check_meta",
    "fold",
    "from_field_meta",
    "meta_line",
    "read_meta",
]
