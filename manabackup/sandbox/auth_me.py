"""The user's own data and settings as the account service tells them, the bootstrap call, and the billing state."""

from __future__ import annotations

import re

from starlette.responses import Response
from starlette.routing import Route

from ..text import jsontext
from .accounts import Accounts, Activity, User
from .auth_call import Call, guarded
from .auth_edge import json_answer
from .clock import date, iso
from .vault import InternalFailure

_CREDITS = {"balance": 150, "totalEarned": 150, "totalSpent": 0, "transactionsCount": 1}
_PROJECTS = (
    ("todo", "Todo", "✅"),
    ("chat", "ManaChat", "💬"),
    ("calendar", "Kalender", "📅"),
    ("clock", "Clock", "⏰"),
    ("contacts", "Kontakte", "👤"),
    ("cards", "Cards", "🃏"),
    ("picture", "ManaPicture", "🎨"),
    ("quotes", "Quotes", "✨"),
    ("presi", "Presi", "📊"),
    ("inventory", "Inventar", "📦"),
    ("food", "Food", "🥗"),
    ("plants", "Plants", "🌱"),
    ("storage", "Storage", "☁️"),
    ("questions", "Questions", "❓"),
    ("music", "Music", "🎵"),
    ("context", "Context", "📄"),
    ("photos", "Photos", "📷"),
    ("skilltree", "SkillTree", "🌳"),
    ("citycorners", "CityCorners", "🏙️"),
    ("times", "Taktik", "⏱️"),
    ("uload", "uLoad", "🔗"),
    ("calc", "Calc", "🧮"),
    ("mana", "Mana", "💎"),
)
_OTHER_ICON = "📁"


def routes(accounts: Accounts) -> list[Route]:
    """The calls below ``/api/v1/me`` but for the vault, and those beside it that take a token alone."""
    return [
        Route("/api/v1/me/data", guarded(accounts, _data), methods=["GET"]),
        Route("/api/v1/me/data", guarded(accounts, _delete), methods=["DELETE"]),
        Route("/api/v1/me/data/export", guarded(accounts, _export), methods=["GET"]),
        Route("/api/v1/me/bootstrap-singletons", guarded(accounts, _bootstrap), methods=["POST"]),
        Route("/api/v1/settings", guarded(accounts, _settings), methods=["GET"]),
        Route("/api/v1/gilden", guarded(accounts, _guilds), methods=["GET"]),
        Route("/api/v1/sync/status", guarded(accounts, _subscription), methods=["GET"]),
    ]


def _bootstrap(call: Call, user_id: str) -> Response:
    user, spaces = call.accounts.bootstrap(user_id)
    return json_answer({"ok": True, "bootstrapped": {"userContext": user, "spaces": spaces}})


def _settings(call: Call, user_id: str) -> Response:
    if call.accounts.user(user_id) is None:
        raise InternalFailure  # not on record; the row that the first call writes would belong to nobody
    return json_answer({"success": True, **call.accounts.settings(user_id)})


def _guilds(_call: Call, _user_id: str) -> Response:
    raise InternalFailure  # measured so, for every user


def _subscription(call: Call, user_id: str) -> Response:
    active = call.accounts.subscription_active(user_id)
    return json_answer({"active": active, "interval": None, "nextChargeAt": None, "pausedAt": None, "gifted": False})


# --- the data summary -------------------------------------------------------------------------------------------------


def _data(call: Call, user_id: str) -> Response:
    user = call.accounts.user(user_id)
    return _no_user() if user is None else json_answer(_summary(call.accounts, user))


def _export(call: Call, user_id: str) -> Response:
    accounts = call.accounts
    user = accounts.user(user_id)
    if user is None:
        return _no_user()
    now = accounts.now()
    details = {
        "sessions": [
            {
                "id": session.id,
                "createdAt": iso(session.created_at),
                "expiresAt": iso(session.expires_at),
                "ipAddress": session.ip_address,
                "deviceName": None,
                "lastActivityAt": iso(session.created_at),
                "revokedAt": None,
            }
            for session in accounts.sessions.of_user(user_id, now)
        ],
        "passkeys": [],
        "apiKeys": [],
        "securityEvents": [
            {"eventType": kind, "ipAddress": "unknown", "createdAt": iso(at)} for kind, at in accounts.events(user_id)
        ],
    }
    summary = _summary(accounts, user)
    body = {"exportedAt": iso(now), "exportVersion": "2.0", "data": summary, "details": details}
    disposition = f'attachment; filename="meine-daten-{date(now)}.json"'
    return json_answer(body, headers={"content-disposition": disposition})


def _delete(call: Call, user_id: str) -> Response:
    accounts = call.accounts
    if accounts.user(user_id) is None:
        return _no_user()
    sessions = len(accounts.sessions.of_user(user_id, accounts.now()))
    changes = accounts.erase(user_id)
    accounts.delete_user(user_id)
    sync = {"projectId": "sync", "projectName": "Sync-Daten", "success": True, "deletedCount": changes}
    return json_answer(
        {
            "success": True,
            "deletedFromProjects": [sync],
            "deletedFromAuth": {"sessions": sessions, "accounts": 1, "credits": 0, "user": True},
            # The sessions, the one way to sign in, and the user.
            "totalDeleted": changes + sessions + 2,
        }
    )


def _no_user() -> Response:
    return json_answer({"error": "User not found"}, 404)


def _summary(accounts: Accounts, user: User) -> dict[str, jsontext.JSON]:
    sessions = accounts.sessions.of_user(user.id, accounts.now())
    activity: dict[str, list[Activity]] = {}
    for one in accounts.activity(user.id):
        activity.setdefault(one.app, []).append(one)
    known = {app for app, _, _ in _PROJECTS}
    others = [(app, app, _OTHER_ICON) for app in sorted(activity) if app not in known]
    projects = [_project(*project, activity.get(project[0], [])) for project in (*_PROJECTS, *others)]
    counts = [project["totalCount"] for project in projects]
    return {
        "user": {
            "id": user.id,
            "email": user.email,
            "name": user.name,
            "role": user.role,
            "createdAt": iso(user.created_at),
            "emailVerified": user.email_verified,
        },
        "auth": {
            "sessionsCount": len(sessions),
            "accountsCount": 1,
            # The measured service says so of users with a second factor, too.
            "has2FA": False,
            "lastLoginAt": iso(max(session.created_at for session in sessions)) if sessions else None,
        },
        "credits": dict(_CREDITS),
        "projects": projects,
        "totals": {"totalEntities": sum(counts), "projectsWithData": sum(count > 0 for count in counts)},
    }


def _project(app: str, name: str, icon: str, activity: list[Activity]) -> dict[str, jsontext.JSON]:
    entities = [{"entity": one.collection, "count": one.count, "label": _label(one.collection)} for one in activity]
    body: dict[str, jsontext.JSON] = {"projectId": app, "projectName": name, "icon": icon, "available": True}
    body |= {"entities": entities, "totalCount": sum(one.count for one in activity)}
    if activity:
        body["lastActivityAt"] = iso(max(one.last_at_us for one in activity) // 1_000)
    return body


def _label(collection: str) -> str:
    """``kontextDoc`` -> ``Kontext Doc``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", collection)
    return words[:1].upper() + words[1:]
