"""Sends messages with firebase-admin: arguments are a service account and a base URL, messages come as JSON on stdin.

Prints an array: what Google's library returned, or the name of the error that it raised.
"""

from __future__ import annotations

import json
import sys

import firebase_admin
from firebase_admin import credentials, exceptions, messaging
from google.auth.exceptions import GoogleAuthError
from requests.adapters import HTTPAdapter


def main() -> None:
    account, base_url = sys.argv[1:]
    # The library has no settings for its address, nor for its patience with 429 and 503, which may take minutes.
    service = messaging._MessagingService
    service.FCM_URL = service.FCM_URL.replace("https://fcm.googleapis.com", base_url)
    app = firebase_admin.initialize_app(credentials.Certificate(account))
    messaging._get_messaging_service(app)._client.session.mount(base_url, HTTPAdapter(max_retries=0))
    results = []
    for told in json.load(sys.stdin):
        is_rehearsal = told.pop("dry_run", False)
        if "ttl" in told:
            told["android"] = messaging.AndroidConfig(priority="high", ttl=told.pop("ttl"))
        try:
            results.append({"name": messaging.send(messaging.Message(**told), dry_run=is_rehearsal)})
        except (exceptions.FirebaseError, GoogleAuthError) as error:
            results.append({"error": type(error).__name__, "message": str(error)})
    print(json.dumps(results))  # noqa: T201  # this is a program


main()
