"""``az://``: containers of Azure Blob Storage (Microsoft, "Blob Storage REST API").

A large archive goes as blocks, which nobody sees before the list of them is put; what is never listed is dropped by the
service after a week, and there is no request that drops it sooner. Nor are there ranges that count from the end: so the
beginning of a blob is asked for first, which tells its size.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from urllib.parse import unquote

from ..errors import AccessError, LockedError, ManabackupError, NotFoundError, OutputError, ServerError
from ..host.set_aside import SetAside
from ..remote.answers import Answer, BrokenAnswerError
from ..remote.request import Request
from ..remote.transport import Transport
from .asking import Connect, breaks_off, cold, exists_already, no_list, ranged, refusal
from .azure_account import HINT, Account
from .markup import characters, element
from .ranges import RangedBytes
from .signing import encoded_path, encoded_query
from .store import TRIAL_WORDS, New, Opening, Store, md5_of, parts_of
from .tokens import asked_with
from .writing import Again, http_moment

_log = logging.getLogger(__name__)

_VERSION = "2021-12-02"
"""Of the interface: the first one with all that is asked for here."""
_RUN = "x-ms-meta-manabackupwrite"
"""The header that says which run wrote a blob. Names of metadata are those of C#'s identifiers."""
_ONLY_NEW = {"If-None-Match": "*"}
_THERE = {"BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet", "UnauthorizedBlobOverwrite"}
"""Codes of something that lies in the way; the last one is told to whoever may create and not write."""
_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
_NAME = re.compile(rb"<Blob(?:Prefix)?>\s*<Name(?: ([^<>]*))?>([^<]*)</Name>")
_LIST = b"</EnumerationResults>"


def opening(connect: Connect = Transport, account: Account | None = None) -> Opening:
    """By which a container is asked, as whom the environment says where no account is given."""
    return lambda name, shown: Container(name, account or Account.find(), connect, shown)


class Container(Store):
    """Connections to a container of blobs."""

    lock_hint = "the container has to be made with version-level immutability"

    def __init__(self, name: str, account: Account, connect: Connect, shown: str) -> None:
        super().__init__(connect(account.endpoint), shown)
        self._account = account
        self._before = self.transport.base_url[len(self.transport.origin) :]
        """What stands before the container's name in the path of a URL, and is signed."""
        self._name = name

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Request:
        """A request that proves who asks when it is made. ``path`` begins with the slash behind the name."""
        sent = {"x-ms-version": _VERSION, **headers}
        if isinstance(body, bytes):
            sent |= {"Content-Length": str(len(body)), "Content-MD5": md5_of([body])}
        where, asked = encoded_path(f"/{self._name}{path}"), params or {}

        def proof() -> Mapping[str, str]:
            dated = {**sent, "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True)}
            return self._account.proved(method, self._before + where, asked, dated)

        query = "&".join(part for part in (encoded_query(asked), self._account.signature) if part)
        return Request(method, where, query=query, headers=sent, body=body, proof=proof)

    def ask(self, request: Request) -> Answer:
        """As :meth:`Store.ask`."""
        return asked_with(self._account.tokens, partial(super().ask, request))

    def refused(self, answer: Answer) -> ManabackupError:
        """What an answer means that is not what was asked for."""
        code, shown = _code(answer), self._shown
        told = f"{shown}: the server says {answer.status} {code}".rstrip()
        match code:
            case "ContainerNotFound" | "ContainerBeingDeleted" | "ContainerDisabled":
                return NotFoundError(f"{shown}: there is no such container")
            case "BlobAlreadyExists" | "ConditionNotMet" | "TargetConditionNotMet" | "UnauthorizedBlobOverwrite":
                return exists_already(shown)
            case "AuthenticationFailed" | "InvalidAuthenticationInfo":
                clock = b"date header" in answer.body[:4096].lower()
                hint = "this computer's clock is wrong" if clock else HINT
                return AccessError(f"{shown}: the server does not take this key or signature ({code})", hint=hint)
            case "NoAuthenticationInformation" | "PublicAccessNotPermitted":
                return AccessError(f"{shown}: the server wants to know who asks ({code})", hint=HINT)
            case "BlobArchived" | "BlobBeingRehydrated":
                return cold(shown)
            case "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold":
                return OutputError(f"{shown} is locked, and stays until its time has passed")
            case "SnapshotsPresent":
                return OutputError(f"{shown} has snapshots, which would go with it", hint="remove them first")
            case "LeaseIdMissing" | "LeaseAlreadyPresent":
                return LockedError(f"{shown} is locked by somebody (a lease)")
            case "InvalidBlockList" | "InvalidBlobOrBlock":
                return LockedError(f"{shown}: another run is writing there ({code})")
            case "VersionLevelWormNotEnabled" | "FeatureNotYetSupportedForHierarchicalNamespaceAccounts":
                return OutputError(told, hint="--retain needs a container with version-level immutability")
        if answer.status == HTTPStatus.FORBIDDEN:
            return AccessError(f"{shown}: who asks may not do that ({code or answer.status})", hint=HINT)
        if answer.status in (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED):
            return ServerError(told)
        return refusal(answer, shown, login=HINT)

    def open(self, path: str) -> RangedBytes:
        """As :meth:`Store.open`."""
        return ranged(self.transport, partial(self.request, "GET", path), self._shown, self.refused, from_end=False)

    def head(self, path: str, *, blind: bool = False) -> Mapping[str, str] | None:
        """As :meth:`Store.head`."""
        answer = self.ask(self.request("HEAD", path, {"Accept-Encoding": "identity"}))
        if answer.status == HTTPStatus.OK:
            return answer.headers
        missing = answer.status == HTTPStatus.NOT_FOUND and _code(answer) != "ContainerNotFound"
        if missing or (blind and _code(answer) in ("AuthorizationPermissionMismatch", "AuthorizationFailure")):
            return None
        raise self.refused(answer)

    def keys(self, folder: str) -> Iterator[str]:
        """As :meth:`Store.keys`."""
        params = {"restype": "container", "comp": "list", "prefix": folder[1:], "delimiter": "/"}
        while True:
            answer = self.asked(self.request("GET", "", {}, params=params), HTTPStatus.OK)
            if _LIST not in answer.body:
                raise no_list(self._shown)
            for match in _NAME.finditer(answer.body):
                name = characters(match[2])
                # What XML has no characters for.
                yield "/" + (unquote(name) if b'Encoded="true"' in (match[1] or b"") else name)
            more = element(answer.body, "NextMarker")
            if not more:
                return
            if more == params.get("marker"):
                raise breaks_off(self._shown)
            params["marker"] = more

    def delete(self, path: str) -> None:
        """As :meth:`Store.delete`; where versions are kept, what was there becomes an older one."""
        self.asked(self.request("DELETE", path, {}), HTTPStatus.ACCEPTED, HTTPStatus.OK)

    def put(self, new: New, held: SetAside) -> None:
        """As :meth:`Store.put`, which the server checks against its MD5."""
        headers = {
            **self._kept(new),
            "x-ms-blob-type": "BlockBlob",
            "Content-Type": "application/zip",
            "Content-Length": str(new.size),
            "Content-MD5": md5_of(held.pieces()),
        }
        self._look(new)
        self._settled(new, self.request("PUT", new.path, headers, body=Again(held.sent)))

    def put_parts(self, new: New, held: SetAside, size: int) -> None:
        """As :meth:`Store.put_parts`. What was sent in vain stays for a week, seen by nobody."""
        blocks: list[str] = []
        try:
            whole = hashlib.md5(usedforsecurity=False)
            for number, part in enumerate(parts_of(held, size)):
                # Of one length, as they have to be, and of this run alone: blocks of two runs lie beside each other.
                blocks.append(_base64(f"{new.run}-{number:06}".encode()))
                whole.update(part)
                self._put_block(new.path, blocks[-1], part)
            self._look(new)
            kept = self._kept(new) | {
                "x-ms-blob-content-type": "application/zip",
                "x-ms-blob-content-md5": _base64(whole.digest()),
            }
            self._settled(new, self._list(new.path, blocks, kept))
        except BaseException:
            if blocks:
                _log.warning("%s: blocks of it are left there unseen, and are dropped after a week", self._shown)
            raise

    def spares(self, trial: str) -> bool:
        """As :meth:`Store.spares`."""
        headers = {**_ONLY_NEW, "x-ms-blob-type": "BlockBlob"}
        for _ in range(2):
            answer = self.ask(self.request("PUT", trial, headers, body=TRIAL_WORDS))
            # Who may create and not write is told that it is not allowed, not that something is there.
            forbidden = answer.status == HTTPStatus.FORBIDDEN
            if _is_there(answer) or (forbidden and self.head(trial, blind=True) is not None):
                return True
            if answer.status != HTTPStatus.CREATED:
                raise self.refused(answer)
        return False

    def spares_parts(self, trial: str) -> bool:
        """As :meth:`Store.spares_parts`."""
        if not self.spares(trial):
            return False
        block = _base64(f"{secrets.token_hex(8)}-{0:06}".encode())
        try:
            self._put_block(trial, block, TRIAL_WORDS)
        except AccessError:  # as to whoever may create and not write
            return False
        answer = self.ask(self._list(trial, [block], _ONLY_NEW))
        if answer.status == HTTPStatus.CREATED:
            return False
        if not _is_there(answer):
            raise self.refused(answer)
        return True

    def _locked_until(self, found: Mapping[str, str]) -> datetime | None:
        is_locked = found.get("x-ms-immutability-policy-mode", "").lower() == "locked"
        return http_moment(found.get("x-ms-immutability-policy-until-date", "")) if is_locked else None

    def _kept(self, new: New) -> dict[str, str]:
        headers = {_RUN: new.run, **(_ONLY_NEW if new.spare else {})}
        if new.until is not None:
            headers |= {
                "x-ms-immutability-policy-until-date": format_datetime(new.until, usegmt=True),
                "x-ms-immutability-policy-mode": "locked",
            }
        return headers

    def _settled(self, new: New, request: Request) -> None:
        """Makes the request by which a blob appears; where its answer is lost or strange, the blob tells."""
        listed = True
        try:
            answer = self.ask(request)
            if answer.status == HTTPStatus.CREATED:
                return
            listed = _code(answer) != "InvalidBlockList"
            error: ManabackupError = self.refused(answer)
        except BrokenAnswerError as broken:
            error = broken
        with suppress(ManabackupError):
            found = self.head(new.path)
            if found is not None and found.get(_RUN) == new.run:
                return
            if found is not None and new.spare and not listed:  # another run's list has dropped this one's blocks
                error = exists_already(self._shown)
        raise error

    def _put_block(self, path: str, block: str, content: bytes) -> None:
        params = {"comp": "block", "blockid": block}
        self.asked(self.request("PUT", path, {}, params=params, body=content), HTTPStatus.CREATED)

    def _list(self, path: str, blocks: Iterable[str], headers: Mapping[str, str]) -> Request:
        """Asked again, it means the same: a block that was listed already is found there, too."""
        listed = "".join(f"<Latest>{block}</Latest>" for block in blocks)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
        sent = {"Content-Type": "application/xml", **headers}
        return self.request("PUT", path, sent, params={"comp": "blocklist"}, body=body)


def _code(answer: Answer) -> str:
    match = _CODE.search(answer.body[:4096])
    return answer.headers.get("x-ms-error-code", "") or (match[1].decode("ascii") if match else "")


def _is_there(answer: Answer) -> bool:
    """Whether a request was refused because of what is there."""
    return answer.status >= 400 and _code(answer) in _THERE


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
