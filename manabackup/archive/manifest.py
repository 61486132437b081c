"""``manifest.json``: what an archive says of itself. Keys and their order: ``formats/mana-v2.md``, "Manifest"."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from ..crypto.seal import CIPHER, IV_BYTES, KDF, SALT_BYTES, SealParameters
from ..errors import DamagedArchiveError, JSONTextError, NewerArchiveError
from ..limits import DEFAULT_LIMITS, Limits
from ..text import jsontext
from ..text.jsontext import JSON, Number
from .names import MANIFEST

FORMAT_VERSION = 2
_NO_VERSION = 1_000
"""What is no version of this format in any year."""
OUTER_ONLY = ("passphrase", "sealedSha256")
"""Keys of a sealed archive's outer manifest that the inner one's ``outer`` does not repeat."""
AS_STORED = "fieldsAsStored"
"""The key that says that private fields stand in an archive as they do at its source."""
_SHA256 = re.compile("[0-9a-f]{64}")
_BASE64 = re.compile("[A-Za-z0-9+/]*={0,2}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that has been checked as the web app's reader checks it."""

    raw: dict[str, JSON]

    @property
    def user_id(self) -> str:
        """The id of the exporting account; ``-`` where it was left out on purpose."""
        return str(self.raw["userId"])

    @property
    def exported_at(self) -> str:
        """When the archive was made, as its writer wrote it."""
        return str(self.raw["exportedAt"])

    @property
    def produced_by(self) -> str:
        """The writing program."""
        return str(self.raw.get("producedBy", ""))

    @property
    def sealed(self) -> bool:
        """Whether the rows lie in ``data.sealed``: where ``passphrase`` is anything that is true in JavaScript."""
        passphrase = self.raw.get("passphrase")
        return isinstance(passphrase, (dict, list)) or bool(passphrase)

    @property
    def fields_plaintext(self) -> bool:
        """Whether private fields were decrypted, but for those that did not open: :attr:`ciphertext_marked`."""
        return bool(self.raw["fieldsPlaintext"])

    @property
    def as_stored(self) -> bool:
        """Whether private fields stand as at the source, where some may be in clear; only this tool writes it."""
        return self.raw.get(AS_STORED) is True

    @property
    def ciphertext_marked(self) -> bool:
        """Whether ``meta/`` tells of every value that begins like ciphertext what it is; only this tool writes it."""
        return self.raw.get("ciphertextMarked") is True

    @property
    def key_fingerprint(self) -> str | None:
        """The fingerprint of the key that the fields are encrypted under, if they are."""
        return self._text("keyFingerprint")

    @property
    def data_sha256(self) -> str | None:
        """Names the content; only this tool writes it."""
        return self._text("dataSha256")

    @property
    def sealed_sha256(self) -> str | None:
        """SHA-256 of ``data.sealed``; only this tool writes it."""
        return self._text("sealedSha256")

    @property
    def row_counts(self) -> dict[str, JSON]:
        """Table → rows, as claimed."""
        counts = self.raw["rowCounts"]
        return counts if isinstance(counts, dict) else {}

    @property
    def binary_assets(self) -> dict[str, JSON] | None:
        """What the archive says of its files; None where it does not speak of files, or as another writer does."""
        assets = self.raw.get("binaryAssets")
        return assets if isinstance(assets, dict) else None

    @property
    def completeness(self) -> dict[str, JSON] | None:
        """What is known to be missing; only this tool writes it."""
        completeness = self.raw.get("completeness")
        return completeness if isinstance(completeness, dict) else None

    @property
    def profile(self) -> str | None:
        """The data-model profile by which rows of another database were taken out; None for rows of Mana's."""
        database = self.raw.get("database")
        profile = database.get("profile") if isinstance(database, dict) else None
        name = profile.get("name") if isinstance(profile, dict) else None
        return name if isinstance(name, str) else None

    @property
    def status(self) -> str | None:
        """``complete`` or ``partial`` as the writer knew it, None where the archive does not say."""
        status = (self.completeness or {}).get("status")
        return status if status in ("complete", "partial") else None

    def seal_parameters(self, limits: Limits = DEFAULT_LIMITS, *, allow_weak: bool = False) -> SealParameters:
        """How to derive the key. Raises :class:`DamagedArchiveError` for everything that the format does not allow.

        ``allow_weak`` accepts fewer iterations than ``limits.kdf_iterations_min``.
        """
        given = self.raw["passphrase"]
        if not isinstance(given, dict):
            raise _damaged("passphrase is not an object", code="seal")
        if given.get("kdf") != KDF or given.get("cipher") != CIPHER:
            raise _damaged("sealed in a way that this version does not know", code="seal")
        iterations = given.get("kdfIterations")
        least = 1 if allow_weak else limits.kdf_iterations_min
        if type(iterations) is not int or not least <= iterations <= limits.kdf_iterations_max:
            weak = type(iterations) is int and 1 <= iterations < limits.kdf_iterations_min
            raise DamagedArchiveError(
                f"kdfIterations is not between {least:,} and {limits.kdf_iterations_max:,}",
                code="kdf",
                where=MANIFEST,
                hint="a seal this weak protects little; --allow-weak-kdf opens it nevertheless" if weak else None,
            )
        salt = _base64(given.get("kdfSaltBase64"), "kdfSaltBase64")
        iv = _base64(given.get("ivBase64"), "ivBase64")
        if len(salt) < SALT_BYTES:
            raise _damaged(f"kdfSaltBase64 holds fewer than {SALT_BYTES} bytes", code="kdf")
        if len(iv) != IV_BYTES:
            raise _damaged(f"ivBase64 does not hold {IV_BYTES} bytes", code="seal")
        return SealParameters(salt=salt, iv=iv, iterations=iterations)

    @property
    def plaintext_sha256(self) -> str:
        """SHA-256 of the sealed body's plaintext, as claimed."""
        return str(self.raw["passphrase"].get("plaintextSha256"))

    def _text(self, key: str) -> str | None:
        value = self.raw.get(key)
        return value if isinstance(value, str) else None


def parse_manifest(content: bytes) -> Manifest:
    """A v2 manifest. Raises :class:`DamagedArchiveError` as the web app's reader does, and for unknown versions."""
    return check_manifest(parse_any_manifest(content))


def check_manifest(raw: dict[str, JSON]) -> Manifest:
    """:func:`parse_manifest` for a manifest that is parsed already."""
    version = raw.get("formatVersion")
    if type(version) is int and FORMAT_VERSION < version < _NO_VERSION:
        message = f"format version {version} is newer than this program, which reads 1 and 2"
        raise NewerArchiveError(message, code="formatVersion", where=MANIFEST)
    if type(version) is not int or version != FORMAT_VERSION:
        shown = version if type(version) is int else "unknown"
        raise _damaged(f"format version {shown} (this version reads 1 and 2)", code="formatVersion")
    schema = raw.get("schemaVersion")
    if type(schema) is not int and not isinstance(schema, Number):
        raise _damaged("schemaVersion is not a number")
    if not isinstance(raw.get("userId"), str) or not raw["userId"]:
        raise _damaged("userId is missing")
    if not isinstance(raw.get("exportedAt"), str):
        raise _damaged("exportedAt is missing")
    for key in ("scope", "rowCounts"):
        if not isinstance(raw.get(key), (dict, list)):
            raise _damaged(f"{key} is missing")
    if type(raw.get("fieldsPlaintext")) is not bool:
        raise _damaged("fieldsPlaintext is missing")
    for key in ("sealedSha256", "dataSha256"):
        if key in raw and (not isinstance(raw[key], str) or _SHA256.fullmatch(raw[key]) is None):
            raise _damaged(f"{key} is not a SHA-256")
    return Manifest(raw)


def parse_any_manifest(content: bytes) -> dict[str, JSON]:
    """The JSON object in ``manifest.json``, of whatever version."""
    try:
        raw = jsontext.parse(content.removeprefix(b"\xef\xbb\xbf"))
    except JSONTextError:
        raise _damaged("is not JSON") from None
    if not isinstance(raw, dict):
        raise _damaged("is not an object")
    return raw


def write_manifest(manifest: dict[str, Any]) -> bytes:
    """A manifest's text: two-space indent, keys in the order given."""
    return jsontext.dumps_indented(manifest)


def without_seal(manifest: dict[str, JSON]) -> dict[str, JSON]:
    """An outer manifest as the inner one repeats it."""
    return {key: value for key, value in manifest.items() if key not in OUTER_ONLY}


def seal_block(parameters: SealParameters, plaintext_sha256: str) -> dict[str, JSON]:
    """The manifest's ``passphrase`` object."""
    return {
        "kdf": KDF,
        "kdfIterations": parameters.iterations,
        "kdfSaltBase64": _base64url(parameters.salt),
        "cipher": CIPHER,
        "ivBase64": _base64url(parameters.iv),
        "plaintextSha256": plaintext_sha256,
    }


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _base64(text: JSON, key: str) -> bytes:
    """Either alphabet, with or without padding."""
    if not isinstance(text, str):
        raise _damaged(f"{key} is missing", code="seal")
    standard = text.replace("-", "+").replace("_", "/")
    if _BASE64.fullmatch(standard) is None or len(standard.rstrip("=")) % 4 == 1:
        raise _damaged(f"{key} is not base64", code="seal")
    try:
        return binascii.a2b_base64(standard.rstrip("=") + "=" * (-len(standard.rstrip("=")) % 4), strict_mode=True)
    except binascii.Error:
        raise _damaged(f"{key} is not base64", code="seal") from None


def _damaged(message: str, code: str = "manifest") -> DamagedArchiveError:
    return DamagedArchiveError(message, code=code, where=MANIFEST)
