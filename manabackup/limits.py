"""Every limit in one place.

Sizes are in bytes, times in seconds. A limit bounds what hostile input can cost; none of them is reached by an
account of a size that the web app could still open. What bounds the reading of archives bounds their writing too: what
would not be read is not written, and is named.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what is read, from archives and from servers, and on what is written into archives."""

    # JSON
    nesting: int = 20_000
    """Deepest nesting of arrays and objects; the server accepts 9,996. A row is one level around its values."""
    path_names: int = 1_000
    """Names in the dotted path of an update inside nested objects."""

    # Archives
    entries: int = 65_000
    """Entries in one ZIP, but for files; without Zip64, which the web app does not read, a ZIP ends at 65,534."""
    blobs: int = 250_000
    """Files in one ZIP. They are listed last, where the web app's reader misses none of what it reads."""
    entry_name: int = 1_024
    """Bytes in an entry's name."""
    entry_bytes: int = 64 * GIB
    """Uncompressed size of one entry."""
    total_bytes: int = 256 * GIB
    """Uncompressed size of all entries together."""
    ratio: int = 1_100
    """Uncompressed to compressed size of one entry. Deflate itself ends at 1,032."""
    manifest_bytes: int = 64 * MIB
    """A manifest is parsed in memory."""
    line_bytes: int = 256 * MIB
    """One line of JSON Lines."""
    kdf_iterations_min: int = 100_000
    kdf_iterations_max: int = 10_000_000
    sealed_body_bytes: int = 64 * GIB - 32
    """Plaintext of one AES-GCM message (NIST SP 800-38D, 5.2.1.1)."""

    # Servers
    answer_bytes: int = 256 * MIB
    """One answer of a server that is taken whole, decompressed. Pages of changes are not."""
    answer_values: int = 8_000_000
    """JSON values in one such answer, or in one change. Each takes up to a hundred bytes of memory, however short its
    text is."""
    change_bytes: int = 64 * MIB
    """One change of the sync server, as it comes. The server takes 10 MiB at once, and may give six bytes for one of
    them (``\\u003c`` for ``<``)."""
    stream_bytes: int = 64 * GIB
    """One page of changes: 1,000 of the largest. It is held in parts."""
    stream_changes: int = 100_000
    """Changes in one page, of which the server gives 5,000 at most."""
    page_changes: int = 1_000
    """Changes in a page of the sync server's pull."""
    post_changes: int = 5_000
    """Changes in an answer of the sync server to a push."""
    request_seconds: float = 120.0
    """How long one answer is waited for; bytes on their way give some of it back."""
    slowest: float = 8 * KIB
    """Bytes a second. An answer that comes faster may take any time."""
    connect_seconds: float = 15.0
    database_seconds: float = 900.0
    """How long a relational database may say nothing while it answers; a question may be about very many rows."""
    search_seconds: float = 120.0
    """How long a pull looks for collections that nobody told of."""
    search_answer_seconds: float = 30.0
    """From sending one question of that search to the last byte of its answer."""
    file_bytes: int = 16 * GIB
    """One file of Mana's own services."""
    foreign_file_bytes: int = 64 * MIB
    """One file of somebody else's server."""
    foreign_file_seconds: float = 60.0
    """How long one such file may take."""
    file_attempts: int = 3
    """How often a file is asked for that came and was not whole, or was not there for now."""
    file_connections: int = 4
    """Files that are fetched at once."""
    api_connections: int = 2
    """The same of those that pass through the API's memory."""
    list_answer_seconds: float = 30.0
    """From asking for a page of the list of files to its last byte."""
    attempts: int = 5
    """How often a request is made in all, as far as its own failing goes: see :mod:`manabackup.remote.transport`."""


DEFAULT_LIMITS = Limits()
