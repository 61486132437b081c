"""The account service and a browser that keeps its cookies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from manabackup.sandbox.accounts import Accounts
from manabackup.text import jsontext

from .auth_recordings import Answer, StandingClock, post, send

EMAIL, PASSWORD = "rita@example.invalid", "Correct-Horse-0001 ü"
DAY = 86_400


@dataclass
class Browser:
    """Keeps cookies and says where it comes from."""

    port: int
    origin: str
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self._keep(send(self.port, "GET", path, {**self._headers(), **headers}))

    def post(self, path: str, body: Any = None) -> Answer:
        if body is None:
            return self._keep(send(self.port, "POST", path, self._headers()))
        return self._keep(post(self.port, path, body, self._headers()))

    def sign_in(self, email: str = EMAIL, **more: Any) -> Answer:
        return self.post("/api/auth/sign-in/email", {"email": email, "password": PASSWORD, **more})

    def _headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Origin": self.origin, **({"Cookie": cookies} if cookies else {})}

    def _keep(self, answer: Answer) -> Answer:
        for name, value in answer.headers:
            if name == "set-cookie":
                pair, _, attributes = value.partition(";")
                key, _, content = pair.partition("=")
                self.cookies.pop(key, None)
                if "Max-Age=0;" not in attributes:
                    self.cookies[key] = content
        return answer


@dataclass
class Service:
    accounts: Accounts
    clock: StandingClock
    port: int
    user_id: str

    def browser(self) -> Browser:
        return Browser(self.port, self.accounts.issuer)

    def wait(self, seconds: float) -> None:
        self.clock.nanoseconds += int(seconds * 1e9)

    def with_token(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {"Authorization": f"Bearer {self.accounts.issue_token(self.user_id)}"}
        if body is None:
            return send(self.port, method, path, headers)
        return send(self.port, method, path, headers, jsontext.dumps(body))


VAULT = "/api/v1/me/encryption-vault"
