"""Addresses of archives that are no files of this machine, as somebody types them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from ..errors import UsageError
from ..text.printable import printable

ENDING = ".mana"
BUCKETS = {
    "s3": "s3://BUCKET/NAME.mana",
    "gs": "gs://BUCKET/NAME.mana",
    "az": "az://CONTAINER/NAME.mana; AZURE_STORAGE_ACCOUNT names the account",
}
"""Kinds of places whose addresses name a bucket and a key, each as it is written."""
_IN_PATH = "/%:@!$&'()*+,;="
"""What may stand in a path as it is (RFC 3986, section 3.3), and ``%``: what is escaped already stays so."""
_WITHOUT_QUERY = ("dav", "davs", "sftp")
_ESCAPES = {"?": "a question mark in a name is %3F", "#": "a number sign in a name is %23"}


def is_archive(name: str) -> bool:
    """Whether something is called like an archive, and not hidden."""
    return name.endswith(ENDING) and not name.startswith(".")


def is_shown(name: str) -> bool:
    """Whether a folder of this name is looked into."""
    return bool(name) and not name.startswith(".")


@dataclass(frozen=True, slots=True)
class Address:
    """An address. Its ``str`` shows neither a query, which may be a signature, nor anything that is secret.

    What does not print is escaped there, which :attr:`text` keeps.
    """

    scheme: str
    host: str
    """In lower case; of a bucket its name."""
    path: str
    """With the slash that it begins with, as it stood there."""
    user: str = ""
    port: int | None = None
    query: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises :class:`UsageError` for what is none, and for one with a password in it."""
        scheme, slashes, rest = text.partition("://")
        scheme = scheme.lower()
        if not slashes:
            scheme = scheme.partition(":")[0]
            hint = f"{scheme}://…; a file that is called so is ./{scheme}:…"
            raise UsageError(f"an address of {scheme} begins with {scheme}://", hint=hint)
        if scheme in BUCKETS:  # a key may hold anything
            bucket, _, key = rest.partition("/")
            if not bucket or "@" in bucket or ":" in bucket or (scheme == "az" and "." in bucket):
                raise UsageError(f"not the address of a bucket: {scheme}://…", hint=BUCKETS[scheme])
            if scheme == "az" and "?" in key and "sig=" in key:
                raise UsageError(
                    "a signature stands in the address, where others can see it",
                    hint="it belongs into AZURE_STORAGE_SAS_TOKEN; renew that one",
                )
            return cls(scheme, bucket, f"/{key}")
        if any(char in text for char in "\t\r\n"):  # which `urlsplit` would leave out
            raise UsageError(f"not an address: {scheme}://…", hint="a line break in a name is %0A, a tab %09")
        for char, hint in _ESCAPES.items():
            if char in rest and (char == "#" or scheme in _WITHOUT_QUERY):
                what = "fragment" if char == "#" else "query"
                raise UsageError(f"an address of {scheme}:// has no {what}", hint=hint)
        try:
            parts = urlsplit(text)
            port, password = parts.port, parts.password
        except ValueError:
            raise UsageError(f"not an address: {scheme}://…") from None
        if password is not None:
            raise UsageError(
                "a password stands in the address, where others can see it",
                hint="docs/places.md says where passwords come from; change that one",
            )
        if not parts.hostname:
            raise UsageError(f"not an address: {scheme}://…", hint=f"{scheme}://HOST/PATH")
        return cls(scheme, parts.hostname, parts.path or "/", unquote(parts.username or ""), port, parts.query)

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        query = "?…" if self.query else ""
        return printable(f"{self.scheme}://{user}{self.authority}{self.path}{query}")

    @property
    def text(self) -> str:
        """By which :meth:`parse` gives the same address. Where a query stands in it, it is not to be shown."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{user}{self.authority}{self.path}{query}"

    @property
    def authority(self) -> str:
        """Host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def name(self) -> str:
        """The last part of the path, as people read it."""
        last = self.path.rsplit("/", 1)[-1]
        return last if self.scheme in BUCKETS else unquote(last)

    @property
    def folder_name(self) -> str:
        """The last part of a folder's path, as people read it; that ends with a slash."""
        return replace(self, path=self.path[:-1]).name

    @property
    def folder(self) -> str:
        """The path up to its last slash, that included."""
        return self.path[: self.path.rindex("/") + 1]

    @property
    def url_path(self) -> str:
        """The path of a URL, percent-encoded."""
        return quote(self.path, safe=_IN_PATH)

    def require_file(self) -> None:
        """Raises :class:`UsageError` where it names a folder."""
        if not self.name:
            raise UsageError(f"{self} names a folder, and an archive is one file", hint="name the file in it, too")
