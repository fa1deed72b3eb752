"""A throw-away Dovecot 2.3 with its push notification driver, on free ports of 127.0.0.1.

Any login has a mailbox, made at its first mail or log-in, and the password ``pw``. Everything lies in one folder below
/tmp, which goes when the server stops.
"""

from __future__ import annotations

import contextlib
import grp
import imaplib
import os
import pwd
import re
import shutil
import signal
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.peers.ports import free_port

HOST = "127.0.0.1"
PASSWORD = "pw"
REGISTRATION_ENTRY = "/private/vendor/vendor.dovecot/http-notify"

_START_ATTEMPTS = 5
_START_LIMIT_S = 10.0
_STOP_LIMIT_S = 15.0
_TALK_LIMIT_S = 30.0

_LOCATIONS = {"maildir": "maildir:~/Maildir", "sdbox": "sdbox:~/sdbox"}

# Started by root, mail belongs to nobody and Dovecot brings its own users. Started by anybody else, all is one user,
# and processes that want to lock themselves in a chroot cannot.
_CONFIG = """\
instance_name = {folder.name}
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
shutdown_clients = yes
{unprivileged}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_master_user_separator = *
{tls}
login_trusted_networks = {trusted_networks}
{passdbs}
userdb {{
  driver = static
  args = uid={owner} gid={group} home={folder}/mail/%Ld/%Ln allow_all_users=yes
}}
first_valid_uid = 1
mail_location = {location}
mail_fsync = never
# Where others on this machine have used up the kernel's inotify instances, IDLE is told of new mail by this.
mailbox_idle_check_interval = 1 s
namespace inbox {{
  inbox = yes
  separator = /
}}
mail_attribute_dict = file:%h/dovecot-attributes
mail_plugins = notify push_notification
protocol imap {{
  imap_metadata = {metadata}
  mail_max_userip_connections = {most_sessions}
}}
plugin {{
{drivers}
}}
service imap-login {{
{chroot}
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service anvil {{
{chroot}
{penalty}
}}
{doveadm}
{extra}
"""
_DOVEADM = """\
service doveadm {{
  inet_listener http {{
    address = 127.0.0.1
    port = {port}
  }}
}}
doveadm_api_key = {key}"""


_NO_PENALTY = """\
  unix_listener anvil-auth-penalty {
    mode = 0
  }"""
_ANYBODY_PASSDB = """\
passdb {
  driver = static
  args = password=pw
}"""
_MASTER_PASSDB = """\
passdb {{
  driver = passwd-file
  master = yes
  args = scheme=PLAIN username_format=%u {folder}/master-users
  result_success = continue
}}"""

_PASSWORDS_PASSDB = """\
auth_username_chars =
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/passwords
}}"""


class DovecotError(Exception):
    """Dovecot did not start, or did not do what a test asked of it; its log is in the text."""


@dataclass(frozen=True, slots=True)
class Driver:
    """One ``push_notification_driver``: where a new mail is told, and under which name.

    The ``user`` of its requests is the value registered in METADATA, else the login.
    """

    url: str
    is_user_from_metadata: bool = True
    timeout_ms: int = 2000
    max_retries: int = 1

    def __str__(self) -> str:
        # Plugin settings go through Dovecot's own variables: a % of the URL must be doubled.
        words = [f"ox:url={self.url.replace('%', '%%')}"]
        if self.is_user_from_metadata:
            words.append("user_from_metadata")
        return " ".join([*words, f"timeout_msecs={self.timeout_ms}", f"max_retries={self.max_retries}"])


@dataclass(frozen=True, slots=True)
class LogIns:
    """How Dovecot lets users in.

    ``certificate`` and its key (PEM) make it offer STARTTLS and listen at ``imaps_port``; ``is_tls_required`` lets
    nobody in without. ``master`` is a master user, named after a ``*`` in its log-ins, and its password. ``passdbs``
    judge passwords, in the place of which ``passwords`` has those of users with any name and without a colon.
    ``most_sessions`` is per user and address, 0 is without limit. With a penalty a failed log-in slows every later one
    from that address, the good ones too. Who logs in from
    ``trusted_networks`` is believed the address of the client on whose behalf.
    """

    certificate: tuple[Path, Path] | None = None
    is_tls_required: bool = False
    master: tuple[str, str] | None = None
    passdbs: str = _ANYBODY_PASSDB
    passwords: Mapping[str, str] | None = None
    has_metadata: bool = True
    most_sessions: int = 0
    has_penalty: bool = False
    trusted_networks: str = ""

    def settings(self, folder: Path) -> dict[str, str]:
        """Write what these are in Dovecot's configuration, and the file of master users."""
        tls, passdbs = "ssl = no", self.passdbs
        if self.certificate is not None:
            certificate, key = self.certificate
            tls = f"ssl = {'required' if self.is_tls_required else 'yes'}\nssl_cert = <{certificate}\nssl_key = <{key}"
            if self.is_tls_required:
                tls += "\ndisable_plaintext_auth = yes"
        if self.passwords is not None:
            lines = "".join(f"{name}:{password}\n" for name, password in self.passwords.items())
            (folder / "passwords").write_text(lines, encoding="utf-8")
            passdbs = _PASSWORDS_PASSDB.format(folder=folder)
        if self.master is not None:
            (folder / "master-users").write_text(":".join(self.master) + "\n")
            passdbs = f"{_MASTER_PASSDB.format(folder=folder)}\n{passdbs}"
        metadata = "yes" if self.has_metadata else "no"
        return {
            "tls": tls,
            "passdbs": passdbs,
            "metadata": metadata,
            "most_sessions": str(self.most_sessions),
            "trusted_networks": self.trusted_networks,
            "penalty": "" if self.has_penalty else _NO_PENALTY,
        }


_ANYBODY = LogIns()


class Dovecot:
    """A running Dovecot; used as a context manager it starts and stops.

    ``sdbox`` always knows the UID of a mail, ``maildir`` says 0 now and then under parallel deliveries. ``extra`` is
    written below its configuration; what is said there twice has the last value. With a ``doveadm_key`` doveadm's HTTP
    API is at ``doveadm_url`` for whoever knows that key.
    """

    def __init__(
        self,
        *drivers: Driver,
        storage: Literal["sdbox", "maildir"] = "sdbox",
        log_ins: LogIns = _ANYBODY,
        extra: str = "",
        doveadm_key: str | None = None,
    ) -> None:
        self.imap_port = 0
        self.imaps_port = 0
        self.lmtp_port = 0
        self._drivers = drivers
        self._storage = storage
        self._log_ins = log_ins
        self._extra = extra
        self._doveadm_key = doveadm_key
        self._doveadm_port = 0
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Return when it listens; a port that somebody took meanwhile costs another attempt."""
        program = _program()
        for attempt in range(1, _START_ATTEMPTS + 1):
            self._folder = _new_folder()
            self.imap_port, self.lmtp_port = free_port(), free_port()
            self.imaps_port = free_port() if self._log_ins.certificate else 0
            self._doveadm_port = free_port() if self._doveadm_key is not None else 0
            (self._folder / "dovecot.conf").write_text(self._config(self._folder), encoding="utf-8")
            if self._runs(program, self._folder):
                return
            log = self.log()
            self.stop()
            if attempt == _START_ATTEMPTS or "Address already in use" not in log:
                raise DovecotError(f"Dovecot did not start:\n{log}")

    def stop(self) -> None:
        """End it with all its sessions, wait until it has gone, and remove its folder."""
        self.halt()
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    @property
    def doveadm_url(self) -> str:
        """Where doveadm's HTTP API is."""
        return f"http://{HOST}:{self._doveadm_port}/doveadm/v1"

    def halt(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it with all its sessions; what it has on disk stays, and ``resume`` starts it again."""
        if self._process is not None:
            # The whole group: the master alone would leave sessions behind for another ten seconds.
            _signal_group(self._process, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_LIMIT_S)
            _signal_group(self._process, signal.SIGKILL)  # who still waits for an answer of the notify endpoint
            self._process.wait()
            self._process = None

    def abandon(self) -> None:
        """End all but its sessions, which go on for ten seconds, or thirty when they are spoken to; then ``resume``."""
        assert self._process is not None, "it does not run"
        self._process.terminate()
        self._process.wait(_STOP_LIMIT_S)

    def resume(self) -> None:
        """Start it again after ``halt``, at the same ports and with the mail that it had."""
        assert self._folder is not None, "it was never started"
        (self._folder / "run/master.pid").unlink(missing_ok=True)  # where it was killed
        if not self._runs(_program(), self._folder):
            raise DovecotError(f"Dovecot did not start again:\n{self.log()}")

    def doveadm(self, *words: str) -> str:
        """Run ``doveadm`` on it and return what that prints."""
        assert self._folder is not None, "it was never started"
        command = [_program("doveadm"), "-c", str(self._folder / "dovecot.conf"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TALK_LIMIT_S, check=False)
        if done.returncode:
            raise DovecotError(f"doveadm {' '.join(words)}: {done.returncode} {done.stderr}")
        return done.stdout

    def log(self) -> str:
        """Return what it logged so far."""
        path = self._folder and self._folder / "dovecot.log"
        return path.read_text(encoding="utf-8", errors="replace") if path and path.exists() else "(no log)"

    def register(self, login: str, value: str, password: str = PASSWORD) -> None:
        """Write the registration of a mailbox, such as ``user=3@1``, as its owner over IMAP."""
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        self._set_metadata(login, f'"{quoted}"', password)

    def registration(self, login: str, password: str = PASSWORD) -> str | None:
        """Return the registration of a mailbox."""
        with imaplib.IMAP4(HOST, self.imap_port, timeout=_TALK_LIMIT_S) as imap:
            imap.authenticate("PLAIN", lambda _: f"\0{login}\0{password}".encode())
            imap.xatom("GETMETADATA", '""', f"({REGISTRATION_ENTRY})")
            # ('"" (/private/… {8}', 'user=3@1'), ')'; without a value the line ends with NIL.
            found = imap.response("METADATA")[1]
        return next((part[1].decode() for part in found if isinstance(part, tuple)), None)

    def unregister(self, login: str, password: str = PASSWORD) -> None:
        """Remove the registration of a mailbox."""
        self._set_metadata(login, "NIL", password)

    def deliver(self, recipients: Sequence[str], message: EmailMessage | bytes) -> dict[str, str]:
        """Hand over one mail by LMTP as an MTA does; return the answer to each recipient: ``250 2.0.0 … Saved``.

        Dovecot answers after the notify endpoint did, or when it gave up on it: call it from a thread when that
        endpoint runs in this event loop.
        """
        content = message if isinstance(message, bytes) else message.as_bytes()
        lines = re.sub(rb"\r\n|\r|\n", b"\r\n", content).removesuffix(b"\r\n")
        with smtplib.LMTP(HOST, self.lmtp_port, timeout=_TALK_LIMIT_S) as lmtp:
            lmtp.ehlo()
            lmtp.mail("sender@example.com")
            answers = {recipient: lmtp.rcpt(recipient) for recipient in recipients}
            accepted = [recipient for recipient, (code, _) in answers.items() if code == 250]
            if accepted:
                lmtp.docmd("DATA")
                lmtp.send(re.sub(rb"(?m)^\.", b"..", lines) + b"\r\n.\r\n")
                # One answer for each recipient (RFC 2033 4.2), where smtplib's own data() would read a single one.
                answers.update({recipient: lmtp.getreply() for recipient in accepted})
        return {recipient: f"{code} {text.decode()}" for recipient, (code, text) in answers.items()}

    def _set_metadata(self, login: str, value: str, password: str) -> None:
        with imaplib.IMAP4(HOST, self.imap_port, timeout=_TALK_LIMIT_S) as imap:
            imap.authenticate("PLAIN", lambda _: f"\0{login}\0{password}".encode())
            status, lines = imap.xatom("SETMETADATA", '""', f"({REGISTRATION_ENTRY} {value})")
            if status != "OK":
                raise DovecotError(f"SETMETADATA for {login}: {status} {lines!r}")

    def _config(self, folder: Path) -> str:
        is_root = os.getuid() == 0
        owner = "nobody" if is_root else pwd.getpwuid(os.getuid()).pw_name
        group = "nogroup" if is_root else grp.getgrgid(os.getgid()).gr_name
        users = {"default_internal_user": owner, "default_login_user": owner, "default_internal_group": group}
        if is_root:
            shutil.chown(folder / "mail", owner, group)
        return _CONFIG.format(
            folder=folder,
            unprivileged="" if is_root else "\n".join(f"{key} = {value}" for key, value in users.items()),
            chroot="" if is_root else "  chroot =",
            owner=owner,
            group=group,
            location=_LOCATIONS[self._storage],
            drivers="\n".join(
                f"  push_notification_driver{number if number > 1 else ''} = {driver}"
                for number, driver in enumerate(self._drivers, 1)
            ),
            imap_port=self.imap_port,
            imaps_port=self.imaps_port,
            lmtp_port=self.lmtp_port,
            doveadm=self._doveadm_config(),
            extra=self._extra,
            **self._log_ins.settings(folder),
        )

    def _runs(self, program: str, folder: Path) -> bool:
        with (folder / "dovecot.log").open("ab") as log_file:  # what it says before it has read log_path
            self._process = subprocess.Popen(
                [program, "-F", "-c", folder / "dovecot.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,
            )
        return self._listens_soon(self._process, folder)

    def _doveadm_config(self) -> str:
        if self._doveadm_key is None:
            return ""
        return _DOVEADM.format(port=self._doveadm_port, key=self._doveadm_key)

    @staticmethod
    def _listens_soon(process: subprocess.Popen[bytes], folder: Path) -> bool:
        deadline = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < deadline and process.poll() is None:
            if (folder / "run/master.pid").exists():  # written once every socket listens
                return True
            time.sleep(0.005)
        return False


class MakeDovecot:
    """Starts Dovecots whose new mails are told to ``notify_url``, which may carry login and password."""

    def __init__(self, running: contextlib.ExitStack) -> None:
        self._running = running

    def __call__(
        self,
        notify_url: str,
        *,
        is_user_from_metadata: bool = True,
        timeout_ms: int = 2000,
        storage: Literal["sdbox", "maildir"] = "sdbox",
    ) -> Dovecot:
        """Return it running; it stops when the stack is left."""
        driver = Driver(notify_url, is_user_from_metadata=is_user_from_metadata, timeout_ms=timeout_ms)
        return self._running.enter_context(Dovecot(driver, storage=storage))


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself
        os.killpg(process.pid, number)


def _program(name: str = "dovecot") -> str:
    # Debian keeps it in /usr/sbin, which is not on everybody's PATH.
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise DovecotError(f"no program {name!r}: install dovecot-core, dovecot-imapd and dovecot-lmtpd")
    return path


def _new_folder() -> Path:
    # Not pytest's tmp_path: mail processes run as another user and must get through, and socket paths are short.
    folder = Path(tempfile.mkdtemp(prefix="oxpushctl-dovecot-", dir="/tmp"))
    folder.chmod(0o755)
    for name in ("run", "state", "mail"):
        (folder / name).mkdir()
    return folder
