"""The account service: the vault, the tokens that it signs, and who takes them."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from manabackup.crypto.recovery import parse_recovery_code, unwrap_master_key
from manabackup.sandbox.accounts import Accounts
from manabackup.sandbox.tokens import TokenRefused
from manabackup.text import jsontext

from .browser import VAULT, Service


def test_the_recovery_code_of_a_zero_knowledge_vault_opens_what_the_service_gives(service: Service) -> None:
    master_key = os.urandom(32)
    code = service.accounts.set_vault(service.user_id, "zero-knowledge", master_key)
    body = service.with_token("GET", f"{VAULT}/key").json()
    assert code is not None
    assert unwrap_master_key(parse_recovery_code(code), body["recoveryWrappedMk"], body["recoveryIv"]) == master_key
    assert "masterKey" not in body


def test_leaving_zero_knowledge_mode_takes_any_key(service: Service) -> None:
    service.accounts.set_vault(service.user_id, "zero-knowledge", bytes(32))
    other = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
    for wrong in (None, "", "AQE=", 7):
        answer = service.with_token("POST", f"{VAULT}/zero-knowledge", {"enable": False, "masterKey": wrong})
        assert (answer.status, answer.json()["code"]) == (400, "BAD_REQUEST")
    answer = service.with_token("POST", f"{VAULT}/zero-knowledge", {"enable": False, "masterKey": other})
    assert answer.json() == {"ok": True, "zeroKnowledge": False}
    assert service.with_token("GET", f"{VAULT}/key").json()["masterKey"] == other


def test_rotating_makes_a_vault_where_there_is_none_and_forgets_the_recovery_wrap(service: Service) -> None:
    first = service.with_token("POST", f"{VAULT}/rotate").json()["masterKey"]
    wrap = {"recoveryWrappedMk": "x", "recoveryIv": "y"}
    assert service.with_token("POST", f"{VAULT}/recovery-wrap", wrap).status == 200
    assert service.with_token("POST", f"{VAULT}/rotate").json()["masterKey"] != first
    status = service.with_token("GET", f"{VAULT}/status").json()
    assert (status["hasRecoveryWrap"], status["recoverySetAt"]) == (False, None)


def test_a_damaged_vault_is_no_missing_one(service: Service) -> None:
    service.accounts.set_vault(service.user_id, "standard", bytes(32))
    service.accounts.vaults.damage(service.user_id)
    assert service.with_token("GET", f"{VAULT}/key").status == 500
    assert service.with_token("GET", f"{VAULT}/status").json()["vaultExists"] is True


def test_the_key_set_verifies_the_tokens(service: Service) -> None:
    token = service.accounts.issue_token(service.user_id)
    (key,) = service.browser().get("/api/auth/jwks").json()["keys"]
    signed, _, signature = token.rpartition(".")
    public = Ed25519PublicKey.from_public_bytes(_decoded(key["x"]))
    public.verify(_decoded(signature), signed.encode())
    assert jsontext.parse(_decoded(signed.partition(".")[0]))["kid"] == key["kid"]


def test_without_the_key_set_both_servers_refuse_a_valid_token(service: Service) -> None:
    token = service.accounts.issue_token(service.user_id)
    service.accounts.jwks_outage = True
    assert service.with_token("GET", f"{VAULT}/status").status == 401
    with pytest.raises(TokenRefused, match=r"^fetch JWKS: "):
        service.accounts.verify_token(token)
    service.accounts.jwks_outage = False
    assert service.accounts.verify_token(token) == service.user_id


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    found = Accounts()
    yield found
    found.close()


@given(
    text=st.text() | st.lists(st.text(max_size=8) | st.sampled_from(["e30", "bnVsbA", "W10"]), max_size=4).map(".".join)
)
def test_no_text_but_a_token_is_taken(accounts: Accounts, text: str) -> None:
    with pytest.raises(TokenRefused):
        accounts.verify_token(text)
    assert accounts.claims(text) is None


@given(data=st.data())
def test_a_token_is_refused_when_a_letter_of_what_it_says_is_another(accounts: Accounts, data: st.DataObject) -> None:
    token = accounts.issue_token("anna")
    at = data.draw(st.integers(0, token.rindex(".") - 1))
    letter = data.draw(st.sampled_from("ABCdef012_-."))
    other = token[:at] + letter + token[at + 1 :]
    if other != token:
        with pytest.raises(TokenRefused):
            accounts.verify_token(other)
        assert accounts.claims(other) is None


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
