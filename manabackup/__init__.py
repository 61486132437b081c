"""Take your data out of Mana, and put it back.

The library's names are here, each imported from its module when it is first used; ``docs/library.md`` shows how they go
together. They stay, and so do those of :mod:`manabackup.errors`; what else stands in the modules may change.
"""

from __future__ import annotations

from .about import __version__ as __version__

TYPE_CHECKING = False  # as typing has it, which is not worth its import here
if TYPE_CHECKING:
    from . import errors
    from .archive.manifest import Manifest
    from .archive.reader import Archive, Row, open_archive
    from .archive.writer import Seal, Written
    from .conversion.options import ConvertOptions
    from .crypto.fields import FieldCipher
    from .crypto.keys import parse_master_key
    from .limits import DEFAULT_LIMITS, Limits
    from .mirror import Mirror, Snapshot
    from .operations.account.account_data import export_source
    from .operations.account.key import AccountKey, KeyOrigin, unlock
    from .operations.account.settings import AUTH_URL, SYNC_URL
    from .operations.account.source import Source
    from .operations.account.state import StateFolder
    from .operations.archives.convert import convert
    from .operations.archives.find import Hit, Question, SearchOptions, find
    from .operations.archives.from_database import Returned, from_database
    from .operations.archives.inspect import Info, info
    from .operations.archives.readable import Converted, convert_to
    from .operations.archives.reseal import seal, unseal
    from .operations.archives.unlock import UnlockResult, archived_key, unlock_archive
    from .operations.archives.verify import Problem, VerifyReport, verify
    from .operations.audit.auditing import Audit, audit
    from .operations.audit.findings import Finding, Severity
    from .operations.audit.fix_plaintext import encrypt_in_place
    from .operations.audit.sarif import sarif
    from .operations.audit.vault import VaultState
    from .operations.compare.diff import Diff, Side, diff
    from .operations.compare.live import diff_live
    from .operations.compare.roundtrip import RoundtripResult, roundtrip
    from .operations.databases.check import Checked, check_profile
    from .operations.databases.draft import Drafted, draft_profile
    from .operations.databases.export import export_rows
    from .operations.databases.load import Loaded, LoadOrder, LoadPlan, load_rows
    from .operations.databases.person import DatabaseExport
    from .operations.databases.split import Split, split_database
    from .operations.databases.stores import StorePlaces
    from .operations.doctor import Check, Examined, Level, doctor
    from .operations.export import ExportResult, Selection, export
    from .operations.export.pulling_files import pull_files
    from .operations.files.access import file_source
    from .operations.files.packing import FileCounts, FileSource
    from .operations.files.verifying import StoreReport, verify_store
    from .operations.fleet.reading import FleetItem, fleet_items, fleet_summary
    from .operations.fleet.summary import FleetSummary
    from .operations.follow.events import FollowEvent, Happening
    from .operations.follow.following import Follower
    from .operations.follow.settings import FollowSettings
    from .operations.operator import (
        AllUsers,
        DatabasePlaces,
        Dump,
        Entry,
        HowWritten,
        Opening,
        UserExport,
        export_everybody,
        export_everybody_of_dump,
        export_user,
        export_user_of_dump,
    )
    from .operations.progress import Progress, Step
    from .operations.prune import (
        Cleared,
        ClearPlan,
        Duration,
        Policy,
        Pruned,
        PrunePlan,
        clear,
        plan_clear,
        plan_prune,
        prune,
    )
    from .operations.pull import PullResult
    from .operations.pull.account import pull
    from .operations.rekey import RekeyResult, rekey
    from .operations.restore.decision import OnConflict, RowAction
    from .operations.restore.files import FileTarget, file_target
    from .operations.restore.from_archive import RestoreOrder
    from .operations.restore.plan import RestorePlan
    from .operations.restore.restoring import restore
    from .operations.restore.result import RestoreResult
    from .operations.restore.target_account import TargetAccount, target_account
    from .operations.schedule import RunRecord, Schedule, ScheduleStatus, schedules
    from .remote.connection import Connection, connect
    from .remote.session import CommandToken, Session, SessionToken, StaticToken, TokenSource, sign_in, sign_out
    from .remote.sync import Page, SyncClient
    from .remote.transport import Transport
    from .remote.vault import VaultClient, VaultKey, VaultStatus
    from .rows.blobs import IndexedFile, Referrer, indexed_files
    from .sandbox import Sandbox
    from .sandbox.plan import Plan
    from .sandbox.population import populate
    from .sources.loading import load_profile
    from .sources.profile import Profile
    from .sources.target import LoadAction, LoadConflict
    from .storage import folder, place

_HOMES = {
    ".archive.manifest": ("Manifest",),
    ".archive.reader": ("Archive", "Row", "open_archive"),
    ".archive.writer": ("Seal", "Written"),
    ".conversion.options": ("ConvertOptions",),
    ".crypto.fields": ("FieldCipher",),
    ".crypto.keys": ("parse_master_key",),
    ".limits": ("DEFAULT_LIMITS", "Limits"),
    ".mirror": ("Mirror", "Snapshot"),
    ".operations.account.account_data": ("export_source",),
    ".operations.account.key": ("AccountKey", "KeyOrigin", "unlock"),
    ".operations.account.settings": ("AUTH_URL", "SYNC_URL"),
    ".operations.account.source": ("Source",),
    ".operations.account.state": ("StateFolder",),
    ".operations.archives.convert": ("convert",),
    ".operations.archives.find": ("Hit", "Question", "SearchOptions", "find"),
    ".operations.archives.inspect": ("Info", "info"),
    ".operations.archives.reseal": ("seal", "unseal"),
    ".operations.archives.unlock": ("UnlockResult", "archived_key", "unlock_archive"),
    ".operations.archives.verify": ("Problem", "VerifyReport", "verify"),
    ".operations.audit.auditing": ("Audit", "audit"),
    ".operations.audit.findings": ("Finding", "Severity"),
    ".operations.audit.fix_plaintext": ("encrypt_in_place",),
    ".operations.audit.sarif": ("sarif",),
    ".operations.audit.vault": ("VaultState",),
    ".operations.compare.diff": ("Diff", "Side", "diff"),
    ".operations.compare.live": ("diff_live",),
    ".operations.compare.roundtrip": ("RoundtripResult", "roundtrip"),
    ".operations.databases.check": ("Checked", "check_profile"),
    ".operations.databases.draft": ("Drafted", "draft_profile"),
    ".operations.databases.export": ("export_rows",),
    ".operations.databases.load": ("Loaded", "LoadOrder", "LoadPlan", "load_rows"),
    ".operations.databases.person": ("DatabaseExport",),
    ".operations.databases.split": ("Split", "split_database"),
    ".operations.databases.stores": ("StorePlaces",),
    ".operations.doctor": ("Check", "Examined", "Level", "doctor"),
    ".operations.export": ("ExportResult", "Selection", "export"),
    ".operations.export.pulling_files": ("pull_files",),
    ".operations.files.access": ("file_source",),
    ".operations.files.packing": ("FileCounts", "FileSource"),
    ".operations.files.verifying": ("StoreReport", "verify_store"),
    ".operations.archives.from_database": ("Returned", "from_database"),
    ".operations.archives.readable": ("Converted", "convert_to"),
    ".operations.fleet.reading": ("FleetItem", "fleet_items", "fleet_summary"),
    ".operations.fleet.summary": ("FleetSummary",),
    ".operations.follow.events": ("FollowEvent", "Happening"),
    ".operations.follow.following": ("Follower",),
    ".operations.follow.settings": ("FollowSettings",),
    ".operations.operator": (
        "AllUsers",
        "DatabasePlaces",
        "Dump",
        "Entry",
        "HowWritten",
        "Opening",
        "UserExport",
        "export_everybody",
        "export_everybody_of_dump",
        "export_user",
        "export_user_of_dump",
    ),
    ".operations.progress": ("Progress", "Step"),
    ".operations.prune": (
        "ClearPlan",
        "Cleared",
        "Duration",
        "Policy",
        "PrunePlan",
        "Pruned",
        "clear",
        "plan_clear",
        "plan_prune",
        "prune",
    ),
    ".operations.pull": ("PullResult",),
    ".operations.pull.account": ("pull",),
    ".operations.rekey": ("RekeyResult", "rekey"),
    ".operations.restore.decision": ("OnConflict", "RowAction"),
    ".operations.restore.files": ("FileTarget", "file_target"),
    ".operations.restore.from_archive": ("RestoreOrder",),
    ".operations.restore.plan": ("RestorePlan",),
    ".operations.restore.restoring": ("restore",),
    ".operations.restore.result": ("RestoreResult",),
    ".operations.restore.target_account": ("TargetAccount", "target_account"),
    ".operations.schedule": ("RunRecord", "Schedule", "ScheduleStatus", "schedules"),
    ".remote.connection": ("Connection", "connect"),
    ".remote.session": ("CommandToken", "Session", "SessionToken", "StaticToken", "TokenSource", "sign_in", "sign_out"),
    ".remote.sync": ("Page", "SyncClient"),
    ".remote.transport": ("Transport",),
    ".remote.vault": ("VaultClient", "VaultKey", "VaultStatus"),
    ".rows.blobs": ("IndexedFile", "Referrer", "indexed_files"),
    ".sandbox": ("Sandbox",),
    ".sandbox.plan": ("Plan",),
    ".sandbox.population": ("populate",),
    ".sources.loading": ("load_profile",),
    ".storage": ("folder", "place"),
    ".sources.profile": ("Profile",),
    ".sources.target": ("LoadAction", "LoadConflict"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AUTH_URL",
    "DEFAULT_LIMITS",
    "SYNC_URL",
    "AccountKey",
    "AllUsers",
    "Archive",
    "Audit",
    "Check",
    "Checked",
    "ClearPlan",
    "Cleared",
    "CommandToken",
    "Connection",
    "ConvertOptions",
    "Converted",
    "DatabaseExport",
    "DatabasePlaces",
    "Diff",
    "Drafted",
    "Dump",
    "Duration",
    "Entry",
    "Examined",
    "ExportResult",
    "FieldCipher",
    "FileCounts",
    "FileSource",
    "FileTarget",
    "Finding",
    "FleetItem",
    "FleetSummary",
    "FollowEvent",
    "FollowSettings",
    "Follower",
    "Happening",
    "Hit",
    "HowWritten",
    "IndexedFile",
    "Info",
    "KeyOrigin",
    "Level",
    "Limits",
    "LoadAction",
    "LoadConflict",
    "LoadOrder",
    "LoadPlan",
    "Loaded",
    "Manifest",
    "Mirror",
    "OnConflict",
    "Opening",
    "Page",
    "Plan",
    "Policy",
    "Problem",
    "Profile",
    "Progress",
    "PrunePlan",
    "Pruned",
    "PullResult",
    "Question",
    "Referrer",
    "RekeyResult",
    "RestoreOrder",
    "RestorePlan",
    "RestoreResult",
    "Returned",
    "RoundtripResult",
    "Row",
    "RowAction",
    "RunRecord",
    "Sandbox",
    "Schedule",
    "ScheduleStatus",
    "Seal",
    "SearchOptions",
    "Selection",
    "Session",
    "SessionToken",
    "Severity",
    "Side",
    "Snapshot",
    "Source",
    "Split",
    "StateFolder",
    "StaticToken",
    "Step",
    "StorePlaces",
    "StoreReport",
    "SyncClient",
    "TargetAccount",
    "TokenSource",
    "Transport",
    "UnlockResult",
    "UserExport",
    "VaultClient",
    "VaultKey",
    "VaultState",
    "VaultStatus",
    "VerifyReport",
    "Written",
    "archived_key",
    "audit",
    "check_profile",
    "clear",
    "connect",
    "convert",
    "convert_to",
    "diff",
    "diff_live",
    "doctor",
    "draft_profile",
    "encrypt_in_place",
    "errors",
    "export",
    "export_everybody",
    "export_everybody_of_dump",
    "export_rows",
    "export_source",
    "export_user",
    "export_user_of_dump",
    "file_source",
    "file_target",
    "find",
    "fleet_items",
    "fleet_summary",
    "folder",
    "from_database",
    "indexed_files",
    "info",
    "load_profile",
    "load_rows",
    "open_archive",
    "parse_master_key",
    "place",
    "plan_clear",
    "plan_prune",
    "populate",
    "prune",
    "pull",
    "pull_files",
    "rekey",
    "restore",
    "roundtrip",
    "sarif",
    "schedules",
    "seal",
    "sign_in",
    "sign_out",
    "split_database",
    "target_account",
    "unlock",
    "unlock_archive",
    "unseal",
    "verify",
    "verify_store",
]

if not TYPE_CHECKING:  # a type checker takes the names above, and no others

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name == "errors":
            return import_module(".errors", __name__)
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(_HOME[name], __name__), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
