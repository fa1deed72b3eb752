from __future__ import annotations

import json
import re
from pathlib import Path

from oxpushctl.config import render
from tests.config import folders
from tests.config.folders import CLIENT

_FILES = {
    "server.properties": "com.openexchange.rest.services.basic-auth.login=dovecot\n"
    "com.openexchange.rest.services.basic-auth.password=sesame1\n"
    "com.openexchange.rest.services.basic-auth.pasword=sesame2\n",
    "a.properties": "com.openexchange.rest.services.basic-auth.password=sesame3\n",
    "mail-push.properties": "com.openexchange.push.credstorage.passcrypt=sesame4\n"
    "com.openexchange.push.credstorage.passcrypt=sesame5\n"
    "com.openexchange.push.credstorage.passcript=sesame6\n",
    "mail.properties": "com.openexchange.mail.masterPassword=sesame7\n",
    "oxpushctl.properties": "oxpushctl.proxy=socks://u:sesame8@host\noxpushctl.database.url=u:sesame9@host\n",
    "pns-apns-options.yml": f"{CLIENT}:\n  keystore: none.p12\n  password: sesame10\n  pasword: sesame11\n",
    "pns-gcm-options.yml": f"{CLIENT}:\n  key: sesame12\n",
    "pushClientConfig/x.yml": f"{CLIENT}-brand-ios:\n  _type: apn\n  password: [sesame13]\n",
}
_ENVIRON = {"OXPUSHCTL_com_openexchange_mail_masterPassword": "sesame14"}


def test_no_secret_is_written_anywhere(tmp_path: Path) -> None:
    """Neither findings nor representations hold what stood in a secret's place, however wrong that was."""
    configuration = folders.read(tmp_path, _FILES, environ=_ENVIRON)
    written = "\n".join(folders.lines(configuration))
    written += json.dumps(render.report(configuration.findings))
    written += repr(configuration) + repr(configuration.settings) + repr(configuration.clients)
    assert len(configuration.findings) > 10
    assert re.findall("sesame[0-9]+", written) == []


def test_control_characters_are_escaped(tmp_path: Path) -> None:
    """A file cannot write to the operator's terminal, nor a lone surrogate end the command."""
    files = {"pns.properties": "com.openexchange.pns.delayDuration=1\\u001b[31m\\ud800\n"}
    [line] = (line for line in folders.lines(folders.read(tmp_path, files)) if "OXP109" in line)
    assert line.endswith("'1\\x1b[31m\\ud800' is not milliseconds")
