"""Spaces over HTTP: ``/api/auth/organization/*``, and the membership calls that are for Mana's other servers."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..text import jsontext
from .accounts import Accounts, User
from .auth_call import Call, native, native_refusal, strings
from .auth_edge import json_answer
from .clock import iso
from .spaces import SPACE_TYPES, Invitation, Member, Space

_NONE_ACTIVE = (400, "No active organization", "NO_ACTIVE_ORGANIZATION")
_NO_MEMBER = (403, "User is not a member of the organization", "USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION")
_YOU_NO_MEMBER = (403, "You are not a member of this organization", "YOU_ARE_NOT_A_MEMBER_OF_THIS_ORGANIZATION")
_NO_INVITATION = (400, "Invitation not found", "INVITATION_NOT_FOUND")
_UNTYPED = f'Organization metadata must include a valid "type" field. Expected one of: {", ".join(SPACE_TYPES)}.'
_UNDELETABLE = "The personal space cannot be deleted. Delete the user account instead."


def routes(accounts: Accounts) -> list[Route]:
    """Both kinds of routes."""
    table: list[tuple[str, str, Callable[[Call], Response]]] = [
        ("GET", "list", _list),
        ("GET", "get-active-member", _active_member),
        ("GET", "get-active-member-role", _active_role),
        ("GET", "get-full-organization", _full),
        ("GET", "list-members", _list_members),
        ("GET", "list-user-invitations", _user_invitations),
        ("GET", "get-invitation", _get_invitation),
        ("POST", "set-active", _set_active),
        ("POST", "create", _create),
        ("POST", "delete", _delete),
        ("POST", "invite-member", _invite),
        ("POST", "accept-invitation", _accept),
        ("POST", "remove-member", _remove_member),
    ]
    found = [
        Route(f"/api/auth/organization/{path}", native(accounts, handle), methods=[method])
        for method, path, handle in table
    ]
    return [*found, *_internal_routes(accounts)]


# --- reading ----------------------------------------------------------------------------------------------------------


def _list(call: Call) -> Response:
    _, user = call.signed_in()
    return json_answer([_space_body(space) for space, _ in call.accounts.spaces.of_user(user.id)])


def _active_member(call: Call) -> Response:
    # The sessions table has no column for the active space: whatever was set, none is.
    call.signed_in()
    return native_refusal(*_NONE_ACTIVE)


def _active_role(call: Call) -> Response:
    _, user = call.signed_in()
    space_id = call.request.query_params.get("organizationId")
    if space_id is None:
        return native_refusal(*_NONE_ACTIVE)
    member = call.accounts.spaces.member(space_id, user.id)
    return native_refusal(*_NO_MEMBER) if member is None else json_answer({"role": member.role})


def _full(call: Call) -> Response:
    _, user = call.signed_in()
    space_id = call.request.query_params.get("organizationId")
    if space_id is None:
        return json_answer(None)
    spaces = call.accounts.spaces
    space = spaces.find(space_id)
    if space is None or spaces.member(space_id, user.id) is None:
        return native_refusal(*_NO_MEMBER)
    body = _space_body(space)
    body["invitations"] = [_invitation_body(one) for one in spaces.invitations(space_id=space_id)]
    body["members"] = [_member_body(call.accounts, one) for one in spaces.members(space_id)]
    return json_answer(body)


def _list_members(call: Call) -> Response:
    _, user = call.signed_in()
    space_id = call.request.query_params.get("organizationId")
    if space_id is None:
        return native_refusal(*_NONE_ACTIVE)
    if call.accounts.spaces.member(space_id, user.id) is None:
        return native_refusal(*_YOU_NO_MEMBER)
    members = [_member_body(call.accounts, one) for one in call.accounts.spaces.members(space_id)]
    return json_answer({"members": members, "total": len(members)})


def _user_invitations(call: Call) -> Response:
    _, user = call.signed_in()
    spaces, found = call.accounts.spaces, []
    for invitation in spaces.invitations(email=user.email):
        space = spaces.find(invitation.space_id)
        found.append({**_invitation_body(invitation), "organizationName": space.name if space else None})
    return json_answer(found)


def _get_invitation(call: Call) -> Response:
    _, user = call.signed_in()
    spaces = call.accounts.spaces
    invitation = spaces.invitation(call.request.query_params.get("id", ""))
    if invitation is None or invitation.email != user.email or invitation.status != "pending":
        return native_refusal(*_NO_INVITATION)
    space, inviter = spaces.find(invitation.space_id), call.accounts.user(invitation.inviter_id)
    return json_answer(
        {
            **_invitation_body(invitation),
            "organizationName": space.name if space else None,
            "organizationSlug": space.slug if space else None,
            "inviterEmail": inviter.email if inviter else None,
        }
    )


# --- changing ---------------------------------------------------------------------------------------------------------


def _set_active(call: Call) -> Response:
    session, user = call.signed_in()
    (space_id,) = strings(call, "organizationId")
    space = call.accounts.spaces.find(space_id)
    if space is None or call.accounts.spaces.member(space_id, user.id) is None:
        return native_refusal(*_NO_MEMBER)
    call.accounts.sessions.touch(session.token, call.accounts.now())
    call.set_cookie("session_token", session.token)
    return call.answer(_space_body(space))


def _create(call: Call) -> Response:
    _, user = call.signed_in()
    name, slug = strings(call, "name", "slug")
    metadata = call.body.get("metadata")
    kind = metadata.get("type") if isinstance(metadata, dict) else None
    if kind not in SPACE_TYPES:
        return native_refusal(400, _UNTYPED, "SPACE_METADATA_INVALID")
    space_id = call.accounts.create_space(user.id, name, kind, slug=slug, metadata=metadata)
    space = call.accounts.spaces.find(space_id)
    members = [_bare_member_body(one) for one in call.accounts.spaces.members(space_id)]
    body = {} if space is None else _space_body(space)
    body.pop("metadata", None)
    return json_answer({**body, "members": members})


def _delete(call: Call) -> Response:
    _, user = call.signed_in()
    (space_id,) = strings(call, "organizationId")
    space, member = call.accounts.spaces.find(space_id), call.accounts.spaces.member(space_id, user.id)
    if space is None or member is None or member.role != "owner":
        return native_refusal(*_NO_MEMBER)
    if space.type == "personal":
        return native_refusal(403, _UNDELETABLE, "SPACE_PERSONAL_UNDELETABLE")
    call.accounts.spaces.delete(space_id)
    return json_answer(_space_body(space))


def _invite(call: Call) -> Response:
    _, user = call.signed_in()
    space_id, email, role = strings(call, "organizationId", "email", "role")
    if call.accounts.spaces.member(space_id, user.id) is None:
        return native_refusal(*_NO_MEMBER)
    invitation = call.accounts.spaces.invite(space_id, email.lower(), role, user.id, call.accounts.now())
    return json_answer(_invitation_body(invitation))


def _accept(call: Call) -> Response:
    _, user = call.signed_in()
    (invitation_id,) = strings(call, "invitationId")
    spaces = call.accounts.spaces
    invitation = spaces.invitation(invitation_id)
    if invitation is None or invitation.email != user.email or invitation.status != "pending":
        return native_refusal(*_NO_INVITATION)
    member = spaces.accept(invitation, user.id, call.accounts.now())
    accepted = {**_invitation_body(invitation), "status": "accepted"}
    return json_answer({"invitation": accepted, "member": _bare_member_body(member)})


def _remove_member(call: Call) -> Response:
    _, user = call.signed_in()
    space_id, who = strings(call, "organizationId", "memberIdOrEmail")
    spaces = call.accounts.spaces
    if spaces.member(space_id, user.id) is None:
        return native_refusal(*_NO_MEMBER)
    other: User | None = call.accounts.user_of_email(who)
    members = spaces.members(space_id)
    member = next((one for one in members if one.id == who or (other and one.user_id == other.id)), None)
    if member is None:
        return native_refusal(400, "Member not found", "MEMBER_NOT_FOUND")
    body = _member_body(call.accounts, member)
    spaces.remove(space_id, member.user_id)
    return json_answer({"member": body})


# --- for other servers ------------------------------------------------------------------------------------------------


def _internal_routes(accounts: Accounts) -> list[Route]:
    def allowed(request: Request) -> bool:
        given = request.headers.get("x-service-key", "")
        return hmac.compare_digest(given.encode("utf-8", "replace"), accounts.service_key.encode())

    refused = {"statusCode": 401, "message": "Invalid or missing service key"}

    async def memberships(request: Request) -> Response:
        if not allowed(request):
            return json_answer(refused, 401)
        user_id = request.path_params["user_id"]
        found = [{"organizationId": space.id, "role": role} for space, role in accounts.spaces.of_user(user_id)]
        return json_answer({"userId": user_id, "memberships": found})

    async def membership(request: Request) -> Response:
        if not allowed(request):
            return json_answer(refused, 401)
        member = accounts.spaces.member(request.path_params["space_id"], request.path_params["user_id"])
        return json_answer({"isMember": False} if member is None else {"isMember": True, "role": member.role})

    return [
        Route("/api/v1/internal/users/{user_id}/memberships", memberships, methods=["GET"]),
        Route("/api/v1/internal/org/{space_id}/member/{user_id}", membership, methods=["GET"]),
    ]


# --- shapes -----------------------------------------------------------------------------------------------------------


def _space_body(space: Space) -> dict[str, jsontext.JSON]:
    return {
        "name": space.name,
        "slug": space.slug,
        "logo": None,
        "createdAt": iso(space.created_at),
        "metadata": space.metadata,
        "id": space.id,
    }


def _bare_member_body(member: Member) -> dict[str, jsontext.JSON]:
    return {
        "organizationId": member.space_id,
        "userId": member.user_id,
        "role": member.role,
        "createdAt": iso(member.created_at),
        "id": member.id,
    }


def _member_body(accounts: Accounts, member: Member) -> dict[str, jsontext.JSON]:
    user = accounts.user(member.user_id)
    shown = user and {"id": user.id, "name": user.name, "email": user.email, "image": None}
    return {**_bare_member_body(member), "user": shown}


def _invitation_body(invitation: Invitation) -> dict[str, jsontext.JSON]:
    return {
        "organizationId": invitation.space_id,
        "email": invitation.email,
        "role": invitation.role,
        "status": invitation.status,
        "expiresAt": iso(invitation.expires_at),
        "createdAt": iso(invitation.created_at),
        "inviterId": invitation.inviter_id,
        "id": invitation.id,
    }
