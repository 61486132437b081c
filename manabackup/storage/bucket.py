"""A bucket, and what is asked of it: S3's own HTTP interface (Amazon S3 API Reference), signed.

Whatever becomes of a request that lets an object appear, the object itself tells: it carries a mark of the run that
wrote it, by which that run knows it where an answer was lost.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from http import HTTPStatus
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from ..errors import AccessError, LockedError, ManabackupError, NotFoundError, OutputError, ServerError, UsageError
from ..host.set_aside import SetAside
from ..remote.answers import Answer, BrokenAnswerError, RedirectedError
from ..remote.request import Request
from ..remote.transport import is_passing
from .asking import Connect, breaks_off, cold, exists_already, no_list, ranged, refusal
from .aws import HINT, Account
from .markup import characters, element
from .ranges import RangedBytes
from .signing import EMPTY, ToSign, encoded_path, encoded_query, signed
from .store import TRIAL_WORDS, New, Store, md5_of, parts_of
from .writing import Again, iso_moment

_log = logging.getLogger(__name__)

_WRITE = "x-amz-meta-manabackup-write"
"""The header that says which run wrote an object."""
_ONLY_NEW = {"If-None-Match": "*"}
"""An object may appear where there is none."""
_LOCK = "COMPLIANCE"
"""Of the two modes of a lock the one that nobody takes away."""
_TOO_SLOW = b"<Code>RequestTimeout</Code>"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
_KEY = re.compile(rb"<Key>([^<]*)</Key>|<CommonPrefixes>\s*<Prefix>([^<]*)</Prefix>")
_AT_ONCE = 1_000
"""S3's own most."""
_COMPLETED = b"</CompleteMultipartUploadResult>"
_LIST = b"</ListBucketResult>"


class Bucket(Store):
    """Connections to a bucket of S3."""

    lock_hint = "the bucket has to be made with object lock"

    def __init__(self, name: str, account: Account, connect: Connect, shown: str) -> None:
        base, self._prefix = _where(name, account)
        super().__init__(connect(base), shown)
        self._account = account
        self._before = self.transport.base_url[len(self.transport.origin) :]
        """What stands before all paths there, and is signed."""

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        sha256: str = EMPTY,
    ) -> Request:
        """A request that is signed when it is made. ``path`` begins with the slash behind the bucket's name."""
        if isinstance(body, bytes):
            sha256 = hashlib.sha256(body).hexdigest()
            headers = {**headers, "Content-Length": str(len(body)), "Content-MD5": md5_of([body])}
        where, query = encoded_path(self._prefix + path), encoded_query(params or {})
        to_sign = ToSign(method, self.transport.host, self._before + where, query, headers, sha256)
        account = self._account
        return Request(
            method,
            where,
            query=query,
            headers=headers,
            body=body,
            proof=lambda: signed(to_sign, account.keys(), account.region),
        )

    def ask(self, request: Request) -> Answer:
        """What the server answers, whatever it is. Raises :class:`ServerError`, :class:`UsageError`."""
        try:
            return self.transport.request(request, passing=_is_passing)
        except RedirectedError:
            raise self.elsewhere() from None

    def elsewhere(self) -> UsageError:
        """The error of a bucket that is asked for in a region where it is not."""
        return UsageError(
            f"{self._shown}: the bucket does not lie in the region {self._account.region}",
            hint="AWS_REGION, or `region` in the profile, names another one",
        )

    def refused(self, answer: Answer) -> ManabackupError:
        """What an answer means that is not what was asked for."""
        match = _CODE.search(answer.body[:4096])
        code, shown = match[1].decode("ascii") if match else "", self._shown
        told = f"{shown}: the server says {answer.status} {code}".rstrip()
        match code:
            case "NoSuchBucket":
                return NotFoundError(f"{shown}: there is no such bucket")
            case "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" | "PermanentRedirect":
                return self.elsewhere()
            case "RequestTimeTooSkewed":
                return AccessError(told, hint="this computer's clock is wrong")
            case "AccessDenied" | "AllAccessDisabled":
                return AccessError(f"{shown}: these keys may not do that ({code})", hint=HINT)
            case (
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "TokenRefreshRequired"
            ):
                return AccessError(f"{shown}: the server does not take these keys ({code})", hint=HINT)
            case "InvalidObjectState":
                return cold(shown)
            case "PreconditionFailed":
                return exists_already(shown)
            case "ConditionalRequestConflict" | "OperationAborted":
                return LockedError(f"{shown}: another run is writing there")
            case "QuotaExceeded" | "EntityTooLarge":
                return OutputError(f"cannot write {told}")
            case "InvalidRequest" | "InvalidArgument" | "ObjectLockConfigurationNotFoundError" if answer.status == 400:
                return OutputError(told, hint="--retain needs a bucket that was made with object lock")
        return refusal(answer, shown, login=HINT) if answer.status != HTTPStatus.CONFLICT else ServerError(told)

    def open(self, path: str) -> RangedBytes:
        """As :meth:`Store.open`."""
        try:
            return ranged(self.transport, partial(self.request, "GET", path), self._shown, self.refused)
        except RedirectedError:
            raise self.elsewhere() from None

    def head(self, path: str, *, blind: bool = False) -> Mapping[str, str] | None:
        """As :meth:`Store.head`: the headers of its answer."""
        answer = self.ask(self.request("HEAD", path, {"Accept-Encoding": "identity"}))
        if answer.status == HTTPStatus.BAD_REQUEST:  # of old keys, for one: an answer to HEAD has no words to say it
            told = self.ask(self.request("GET", path, {"Accept-Encoding": "identity", "Range": "bytes=0-0"}))
            answer = told if told.status >= HTTPStatus.BAD_REQUEST else answer
        if answer.status == HTTPStatus.OK:
            return answer.headers
        if answer.status == HTTPStatus.NOT_FOUND or (blind and answer.status == HTTPStatus.FORBIDDEN):
            return None
        raise self.refused(answer)

    def keys(self, folder: str, *, at_once: int = _AT_ONCE) -> Iterator[str]:
        """As :meth:`Store.keys`; ``at_once`` are the most that one answer tells of."""
        params = {"list-type": "2", "prefix": folder[1:], "delimiter": "/", "encoding-type": "url"}
        params["max-keys"] = str(at_once)
        while True:
            answer = self.asked(self.request("GET", "", {}, params=params), HTTPStatus.OK)
            if _LIST not in answer.body:
                raise no_list(self._shown)
            is_escaped = element(answer.body, "EncodingType") == "url"  # not every server does as it is asked
            for match in _KEY.finditer(answer.body):
                key = characters(match[1] or match[2] or b"")
                yield "/" + (unquote_plus(key) if is_escaped else key)
            more, is_truncated = element(answer.body, "NextContinuationToken"), element(answer.body, "IsTruncated")
            if is_truncated == "false" or not (is_truncated or more):
                return
            if not more or more == params.get("continuation-token"):
                raise breaks_off(self._shown)
            params["continuation-token"] = more

    def breaks_off(self) -> ServerError:
        """The error of a list that says that there is more, and not where."""
        return breaks_off(self._shown)

    def delete(self, path: str) -> None:
        """As :meth:`Store.delete`; in a bucket that keeps versions it becomes an older one."""
        self.asked(self.request("DELETE", path, {}), HTTPStatus.NO_CONTENT, HTTPStatus.OK)

    def put(self, new: New, held: SetAside) -> None:
        """As :meth:`Store.put`; the server checks it against two sums."""
        whole = hashlib.sha256()

        def pieces() -> Iterator[bytes]:
            for piece in held.pieces():
                whole.update(piece)
                yield piece

        sums = {"Content-Length": str(held.size), "Content-MD5": md5_of(pieces())}
        headers = {**_marked(new), **_condition(new), **sums}
        self._look(new)
        request = self.request("PUT", new.path, headers, body=Again(held.sent), sha256=whole.hexdigest())
        self._settled(new, request)

    def put_parts(self, new: New, held: SetAside, size: int) -> None:
        """As :meth:`Store.put_parts`. Where it cannot be ended, what was sent of it is given up."""
        upload = self._begun(new.path, _marked(new))
        try:
            parts = enumerate(parts_of(held, size), 1)
            etags = [self._put_part(new.path, upload, number, part) for number, part in parts]
            self._look(new)
            self._settled(new, self._completion(new.path, upload, etags, _condition(new)))
        except BaseException:
            self._give_up(new.path, upload)
            raise

    def spares(self, trial: str) -> bool:
        """As :meth:`Store.spares`."""
        for _ in range(2):
            answer = self.ask(self.request("PUT", trial, _ONLY_NEW, body=TRIAL_WORDS))
            if answer.status == HTTPStatus.PRECONDITION_FAILED:
                return True
            if answer.status == HTTPStatus.NOT_IMPLEMENTED:
                return False
            if answer.status != HTTPStatus.OK:
                raise self.refused(answer)
        return False

    def spares_parts(self, trial: str) -> bool:
        """As :meth:`Store.spares_parts`."""
        if not self.spares(trial):
            return False
        upload = self._begun(trial, {})
        try:
            etag = self._put_part(trial, upload, 1, TRIAL_WORDS)
            answer = self.ask(self._completion(trial, upload, [etag], _ONLY_NEW))
        except BaseException:
            self._give_up(trial, upload)
            raise
        if answer.status == HTTPStatus.OK and not _CODE.search(answer.body):
            return False
        self._give_up(trial, upload)
        if answer.status not in (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_IMPLEMENTED):
            raise self.refused(answer)
        return answer.status == HTTPStatus.PRECONDITION_FAILED

    def _locked_until(self, found: Mapping[str, str]) -> datetime | None:
        is_locked = found.get("x-amz-object-lock-mode", _LOCK) == _LOCK
        return iso_moment(found.get("x-amz-object-lock-retain-until-date")) if is_locked else None

    def _settled(self, new: New, request: Request) -> None:
        """Makes the request by which an object appears; where its answer is lost or strange, the object tells."""
        try:
            answer = self.ask(request)
            if _appeared(answer):
                return
            error: ManabackupError = self.refused(answer)
        except BrokenAnswerError as broken:
            error = broken
        with suppress(ManabackupError):
            found = self.head(new.path) or {}
            if found.get(_WRITE) == new.run:
                return
        raise error

    def _begun(self, path: str, mark: Mapping[str, str]) -> str:
        """The id of a new upload in parts."""
        answer = self.ask(self.request("POST", path, mark, params={"uploads": ""}))
        upload = element(answer.body[:8192], "UploadId") if answer.status == HTTPStatus.OK else ""
        if not upload:
            raise self.refused(answer)
        return upload

    def _put_part(self, path: str, upload: str, number: int, part: bytes) -> str:
        """The part's ETag."""
        params = {"partNumber": str(number), "uploadId": upload}
        answer = self.ask(self.request("PUT", path, {}, params=params, body=part))
        etag = answer.headers.get("etag")
        if answer.status != HTTPStatus.OK or etag is None:
            raise self.refused(answer)
        return etag

    def _completion(self, path: str, upload: str, etags: Sequence[str], condition: Mapping[str, str]) -> Request:
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
            for number, etag in enumerate(etags, 1)
        )
        body = f'<CompleteMultipartUpload xmlns="{_NAMESPACE}">{listed}</CompleteMultipartUpload>'.encode()
        return self.request("POST", path, condition, params={"uploadId": upload}, body=body)

    def _give_up(self, path: str, upload: str) -> None:
        with suppress(ManabackupError):
            answer = self.ask(self.request("DELETE", path, {}, params={"uploadId": upload}))
            if answer.status in (HTTPStatus.NO_CONTENT, HTTPStatus.OK, HTTPStatus.NOT_FOUND):
                return
        _log.warning("%s: parts of it are left in the bucket, and cost money: upload %s", self._shown, upload[:64])


def _is_passing(answer: Answer) -> bool:
    """Other than usual, a body that came too slowly is answered with 400."""
    return is_passing(answer) or (answer.status == HTTPStatus.BAD_REQUEST and _TOO_SLOW in answer.body[:4096])


def _appeared(answer: Answer) -> bool:
    """Whether an answer says that the object is there now. 200 alone does not: so may answer what stands between."""
    if answer.status != HTTPStatus.OK or _CODE.search(answer.body):
        return False
    return _COMPLETED in answer.body or (not answer.body and "etag" in answer.headers)


def _where(name: str, account: Account) -> tuple[str, str]:
    """Where a bucket is asked for, and what stands before the keys there."""
    if account.endpoint is not None:
        return account.endpoint.rstrip("/"), f"/{name}"
    host = f"s3.{account.region}.amazonaws.com"
    # A certificate for *.s3.… fits no name with a dot in it.
    return (f"https://{host}", f"/{name}") if "." in name else (f"https://{name}.{host}", "")


def _marked(new: New) -> dict[str, str]:
    """Headers that an object keeps."""
    headers = {_WRITE: new.run, "Content-Type": "application/zip"}
    if new.until is not None:
        headers["x-amz-object-lock-mode"] = _LOCK
        headers["x-amz-object-lock-retain-until-date"] = f"{new.until:%Y-%m-%dT%H:%M:%SZ}"
    return headers


def _condition(new: New) -> dict[str, str]:
    """Headers under which it may appear."""
    return _ONLY_NEW if new.spare else {}
