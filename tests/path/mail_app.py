"""A mail app as the HTTP API sees it: a session, and a device that subscribes. It speaks with ``requests``."""

from __future__ import annotations

from typing import Any

import requests

CLIENT = "open-xchange-mobile-api-facade"
_LIMIT_S = 30.0


class MailApp:
    """An app on one phone; every call returns the answer's JSON object."""

    def __init__(self, address: str, client: str = CLIENT, ca: str | None = None) -> None:
        self._base = f"{'https' if ca else 'http'}://{address}"
        self._client = client
        self._http = requests.Session()
        self._http.verify = ca or True
        self.session = ""

    def log_in(self, name: str, password: str, address: str = "") -> dict[str, Any]:
        """Log in, through a proxy that names the address if one is given."""
        answer = self._json(
            self._http.post(
                f"{self._base}/ajax/login",
                params={"action": "login", "client": self._client},
                data={"name": name, "password": password},
                headers={"X-Forwarded-For": address} if address else {},
                timeout=_LIMIT_S,
            )
        )
        self.session = answer.get("session", "")
        return answer

    def log_out(self) -> None:
        answer = self._http.get(
            f"{self._base}/ajax/login", params={"action": "logout", "session": self.session}, timeout=_LIMIT_S
        )
        assert answer.status_code == 200

    def subscribe(self, token: str, transport: str = "apn", **more: Any) -> dict[str, Any]:
        return self._pns("subscribe", {"token": token, "transport": transport, "topics": ["ox:mail:new"], **more})

    def unsubscribe(self, token: str, transport: str = "apn") -> dict[str, Any]:
        return self._pns("unsubscribe", {"token": token, "transport": transport})

    def _pns(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._json(
            self._http.put(
                f"{self._base}/ajax/pns",
                params={"action": action, "session": self.session},
                json={"client": self._client, **body},
                timeout=_LIMIT_S,
            )
        )

    @staticmethod
    def _json(answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        value: dict[str, Any] = answer.json()
        return value
