"""What the kinds of losses and notices mean, in a few words (``formats/mana-v2.md``, "Completeness")."""

from __future__ import annotations

from typing import Final

MEANINGS: Final = {
    # losses
    "undecryptable": "fields that your key does not open",
    "malformedChange": "changes that make no sense; what they would have done is not in the archive",
    "unreadableTie": "more changes in one microsecond than the server gives out",
    "unreadablePage": "pages that the server does not give, or not so that they can be read",
    "unreadableChange": "changes that are larger than any that the server takes",
    "mirrorDamaged": "changes that the mirror on this computer lost; a pull reads them again",
    "tableSetAside": "collections that one archive has no place for",
    "notText": "texts of a database whose bytes are not UTF-8",
    "rowSetAside": "rows that cannot be written into an archive",
    "ciphertextLeftOut": "fields that no key at hand opens; they are not in the new archive",
    "fileGone": "places in rows that lead to files which the media service knows no more",
    "fileUnavailable": "places in rows that lead to files which could not be had now; ask again later",
    "fileDamaged": "places in rows that lead to files which do not come as they should be",
    "fileTooLarge": "places in rows that lead to files which are too large",
    "fileUnresolved": "places in rows that lead to files, in a way that nobody can follow",
    # notices
    "fileForeign": "places in rows that lead to other people's servers, which were not asked",
    "capabilityLeftOut": "secrets and links of the account that the rows come from; they stay there",
    "likeCiphertext": "values that begin like ciphertext and are none; they are in the archive as they stand",
    "identityInData": "fields that still name the old account; see meta/problems.jsonl in the archive",
    "plaintextField": "private fields that the server holds in clear",
    "foreignCiphertext": "fields of other members of shared spaces, under their keys",
    "foreignOrUndecryptable": "fields that your key does not open, in spaces that may be shared: other members', or "
    "lost; `manabackup login` tells which",
    "repairedText": "texts with bytes that were no text; the app repairs them alike",
    "unknownCollection": "data that this version knows nothing of; it is in the archive",
    "futureTime": "rows with times in the future",
    "eventGone": "changes that the server has lost since; they are in the archive",
    "eventChanged": "changes that the server gives differently now; the first ones are in the archive",
    "eventLost": "changes that the server has lost since, and that the mirror lost when it was damaged",
    "unsearchedApp": "apps that could not be searched for collections that nobody told of",
    "spaceWithoutRows": "spaces that were asked for and have no rows",
    "pullUnfinished": "the last pull was cut off; part of what it had read may be missing",
    "spaceTypesUnknown": "which spaces are shared could not be asked; `manabackup login` tells",
    "accountDataMissing": "the account service's own data could not be had",
    "accountSettingsMissing": "the web app's settings could not be had",
    "untimedUpdate": "updates without a time, applied in their order",
    "retriedInsert": "rows that were sent twice",
    "insertOnTombstone": "rows in the bin that were written again; they stay in the bin",
    "untimedDelete": "rows deleted for good",
    "deleteBeforeInsert": "rows whose deletion came before them; they are deleted",
    "rename": "changes of a row's id; left out",
    "nullActor": "changes that the web app drops, because they name nobody",
    "nullDeletedAt": "changes that the web app drops, because of an empty time of deletion",
    "dottedUpdateOnAbsentRow": "changes inside rows that were not there yet",
    "dottedBesideLiteral": "changes inside a field beside another of that very name",
    "pathThroughNonObject": "changes inside something that has no inside; left out",
    "pathTooLong": "changes nested too deeply; left out",
    "leftSealed": "private fields that stay encrypted: their key is their owner's; `manabackup unlock` opens them",
    "valueWithoutTime": "values beside an update that no client is told; they are no edits",
    "undatedCounted": "changes without a time; they count at every instant",
    "undatedDeleteLeftOut": "deletions without a time; they count at no instant",
}

FILE_LOSSES: Final = {
    "gone": "that the service has no more",
    "unavailable": "could not be had now; ask again later",
    "damaged": "did not come as the service says",
    "tooLarge": "too large",
    "foreign": "on other people's servers, not asked for; --foreign-files asks",
    "unresolved": "that rows name in a way that nobody can follow",
}
"""What becomes of files, by kind, after their number."""
