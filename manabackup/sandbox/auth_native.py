"""Signing in and out with a cookie, and what a session gives: ``/api/auth/*`` apart from organizations."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from ..text import jsontext
from .accounts import Accounts, User
from .auth_call import Call, native, native_refusal, session_body, strings, user_body
from .auth_edge import Refused, empty_answer, json_answer

SESSION_COOKIES = ("session_token", "session_data", "dont_remember")


def routes(accounts: Accounts) -> list[Route]:
    """Sign-in, sessions, tokens, the key set and the second factor."""
    table = [
        ("POST", "sign-in/email", sign_in),
        ("POST", "sign-out", sign_out),
        ("GET", "get-session", get_session),
        ("GET", "token", token),
        ("GET", "list-sessions", list_sessions),
        ("GET", "verify-email", verify_email),
        ("GET", "jwks", lambda call: json_answer(call.accounts.key_set())),
        ("GET", "ok", lambda call: json_answer({"ok": True})),
        ("POST", "two-factor/enable", enable_two_factor),
        ("POST", "two-factor/verify-totp", verify_totp),
        ("POST", "two-factor/verify-backup-code", verify_backup_code),
    ]
    return [Route(f"/api/auth/{path}", native(accounts, handle), methods=[method]) for method, path, handle in table]


# --- signing in and out -----------------------------------------------------------------------------------------------


def sign_in(call: Call) -> Response:
    """``POST /sign-in/email``: a session, or a challenge for the second factor."""
    email, password = strings(call, "email", "password")
    user = call.accounts.user_of_password(email, password)
    if user is None:
        return native_refusal(401, "Invalid email or password", "INVALID_EMAIL_OR_PASSWORD")
    if not user.email_verified:
        return native_refusal(403, "Email not verified", "EMAIL_NOT_VERIFIED")
    session = call.open_session(user, remember=call.body.get("rememberMe") is not False)
    if user.two_factor_enabled and not _device_is_trusted(call, user):
        # The session was opened before anybody thought of the second factor; its cookie is set and cleared at once.
        call.accounts.sessions.close(session.token)
        call.clear_cookies("session_token", "session_data")
        call.set_cookie("two_factor", call.accounts.sessions.challenge(user.id, call.accounts.now()))
        return call.answer({"twoFactorRedirect": True})
    return call.answer({"redirect": False, "token": session.token, "user": user_body(user)})


def sign_out(call: Call) -> Response:
    """``POST /sign-out``: ends the session; the tokens it gave live on."""
    found = call.session()
    if found is not None:
        call.accounts.sessions.close(found[0].token)
    call.clear_cookies(*SESSION_COOKIES)
    return call.answer({"success": True})


def _device_is_trusted(call: Call, user: User) -> bool:
    trust = call.cookie("trust_device")
    accounts = call.accounts
    if trust is None or not accounts.sessions.trusted(trust, user.id, accounts.now(), accounts.secret):
        return False
    call.set_cookie("trust_device", accounts.sessions.trust(user.id, accounts.now(), accounts.secret))
    return True


# --- what a session gives ---------------------------------------------------------------------------------------------


def get_session(call: Call) -> Response:
    """``GET /get-session``: the session with its token in a header, or ``null``."""
    found = call.session()
    user = None if found is None else call.accounts.user(found[0].user_id)
    if found is None or user is None:
        if call.cookie("session_token") is not None:
            call.clear_cookies(*SESSION_COOKIES)
        return call.answer(None)
    session, extended = found
    if extended:
        left_ms = session.expires_at - call.accounts.now()
        # The service computes what is left anew, a moment later.
        call.set_cookie("session_token", session.token, seconds=(left_ms - 1) // 1_000)
    body: jsontext.JSON = {"session": session_body(session), "user": user_body(user)}
    return call.answer(body, headers={"set-auth-jwt": call.accounts.session_token(session)})


def token(call: Call) -> Response:
    """``GET /token``: an access token; extends the session and sets no cookie."""
    session, _ = call.signed_in()
    return json_answer({"token": call.accounts.session_token(session)})


def list_sessions(call: Call) -> Response:
    """``GET /list-sessions``: the user's living sessions."""
    session, _ = call.signed_in()
    return json_answer(
        [session_body(one) for one in call.accounts.sessions.of_user(session.user_id, call.accounts.now())]
    )


def verify_email(call: Call) -> Response:
    """``GET /verify-email``: a mailed link. Signs in when it is used first."""
    back = call.request.query_params.get("callbackURL", "/")
    headers = {"location": back, "content-type": "application/json"}
    try:
        user = call.accounts.verify_mailed(call.request.query_params.get("token", ""))
    except ValueError:
        return Response(status_code=302, headers={**headers, "location": f"{back}?error=INVALID_TOKEN"})
    if user is not None:
        call.open_session(user)
    response = Response(status_code=302, headers=headers)
    for cookie in call.cookies:
        response.headers.append("set-cookie", cookie)
    return response


# --- the second factor ------------------------------------------------------------------------------------------------


def enable_two_factor(call: Call) -> Response:
    """``POST /two-factor/enable``: draws a secret, which counts from the first correct code on."""
    _, user = call.signed_in()
    (password,) = strings(call, "password")
    if not call.accounts.password_fits(user.id, password):
        return native_refusal(400, "Invalid password", "INVALID_PASSWORD")
    if not call.accounts.two_factor_mended:
        return empty_answer(500)
    secret, codes = call.accounts.enable_totp(user.id, confirmed=user.two_factor_enabled)
    label = user.email.replace("@", "%40")
    uri = f"otpauth://totp/Mana:{label}?secret={secret}&issuer=Mana&digits=6&period=30"
    return json_answer({"totpURI": uri, "backupCodes": codes})


def verify_totp(call: Call) -> Response:
    """``POST /two-factor/verify-totp``: ends a challenge with an authenticator's code, or switches the factor on."""
    user = _challenged(call)
    (code,) = strings(call, "code")
    if not call.accounts.sessions.code_matches(user.id, code, call.accounts.now()):
        return native_refusal(401, "Invalid code", "INVALID_CODE")
    return _second_factor_passed(call, user)


def verify_backup_code(call: Call) -> Response:
    """``POST /two-factor/verify-backup-code``: ends a challenge with a backup code."""
    user = _challenged(call)
    (code,) = strings(call, "code")
    if not call.accounts.sessions.backup_code_matches(user.id, code):
        return native_refusal(401, "Invalid backup code", "INVALID_BACKUP_CODE")
    if not call.accounts.two_factor_mended:
        return empty_answer(500)
    call.accounts.sessions.spend_backup_code(user.id, code)
    return _second_factor_passed(call, user)


def _challenged(call: Call) -> User:
    """Who gives a code: the user of the session, or of the challenge."""
    found = call.session()
    challenge = call.cookie("two_factor")
    user_id = found[0].user_id if found else None
    if user_id is None and challenge is not None:
        user_id = call.accounts.sessions.challenged_user(challenge, call.accounts.now())
    user = None if user_id is None else call.accounts.user(user_id)
    if user is None:
        raise Refused(native_refusal(401, "Invalid two factor cookie", "INVALID_TWO_FACTOR_COOKIE"))
    return user


def _second_factor_passed(call: Call, user: User) -> Response:
    accounts, found = call.accounts, call.session()
    if found is None:
        answered = call.open_session(user).token
        accounts.sessions.forget(call.cookie("two_factor") or "")
        call.clear_cookies("two_factor")
        if call.body.get("trustDevice") is True:
            call.set_cookie("trust_device", accounts.sessions.trust(user.id, accounts.now(), accounts.secret))
            call.clear_cookies("dont_remember")
    else:
        answered = found[0].token
        if not user.two_factor_enabled:
            # The session is exchanged for a new one, while the answer still names the old one.
            accounts.confirm_totp(user.id)
            accounts.sessions.close(answered)
            call.open_session(user)
    return call.answer({"token": answered, "user": user_body(user)})
