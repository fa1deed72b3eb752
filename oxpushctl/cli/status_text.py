"""What ``oxpushctl status`` says: the engine's answer, in lines with a label each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from oxpushctl.cli.output import printable
from oxpushctl.errors import BadData
from oxpushctl.model import Health
from oxpushctl.web.kept_json import Object, to_flag, to_list, to_number, to_object, to_text, to_word


@dataclass(frozen=True, slots=True)
class Line:
    """A line below the others; without a label it goes on with the one above. ``is_good`` is ``None`` for most."""

    label: str
    text: str
    is_good: bool | None = None


def lines_of(status: Object) -> Sequence[Line]:
    """Write what an engine tells; what only a later release tells comes last, as it is."""
    known = {name: _LINES[name] for name in _LINES if name in status}
    lines = [line for name, write in known.items() for line in write(status)]
    lines += [Line(_words(name), _value(value)) for name, value in status.items() if name not in known]
    return lines


def text_of(lines: Sequence[Line]) -> str:
    """Put lines below each other, their texts aligned."""
    width = max((len(line.label) for line in lines), default=0)
    return "\n".join(f"{line.label:<{width}}  {line.text}".rstrip() for line in lines)


def _plain(name: str) -> Callable[[Object], Iterator[Line]]:
    def write(status: Object) -> Iterator[Line]:
        yield Line(_words(name), _value(status[name]))

    return write


def _ready(status: Object) -> Iterator[Line]:
    is_ready = to_flag(status, "ready")
    yield Line("ready", "yes" if is_ready else "no: events cannot be kept", is_ready)


def _outbox(status: Object) -> Iterator[Line]:
    outbox = dict(to_object(status["outbox"]))
    depth = to_number(outbox, "depth")
    del outbox["depth"]
    yield Line("outbox", ", ".join(filter(None, (f"{depth} not done", _value(outbox) if outbox else ""))))


def _listeners(status: Object) -> Iterator[Line]:
    rows = [_listener(to_object(row)) for row in to_list(status, "listeners")]
    running, idle = (sum(row[-1] for row in rows if row[2].is_running is wanted) for wanted in (True, False))
    rest = f", {idle} {'does' if idle == 1 else 'do'} not" if idle else ""
    yield Line("listeners", f"{running} {'runs' if running == 1 else 'run'}{rest}")
    cells = [(name, kind, how.value, str(count)) for name, kind, how, count in rows]
    first, second, third, digits = (max(map(len, column)) for column in zip(*cells, strict=True)) if cells else (0,) * 4
    for name, kind, how, count in rows:
        text = f"{name:<{first}}  {kind:<{second}}  {how.value:<{third}}  {count:>{digits}}"
        yield Line("", text, how is Health.OK if how is not Health.STARTING else None)


def _listener(row: Object) -> tuple[str, str, Health, int]:
    kind = "permanent" if to_flag(row, "permanent") else "session"
    name = printable(to_text(row, "implementation")) or "none"
    return name, kind, to_word(row, "health", Health), to_number(row, "count")


def _mail_server(status: Object) -> Iterator[Line]:
    if status["mail_server"] is None:
        yield Line("mail server", "none is configured")
        return
    server = dict(to_object(status["mail_server"]))
    name = printable(to_text(server, "name"))
    paused = server.pop("log_ins_paused_s", None)
    del server["name"]
    pause = f"log-ins are paused for {_value(paused)} s: many were refused" if paused else ""
    more = _value(server) if server else ""
    yield Line("mail server", ", ".join(filter(None, (name, pause, more))), False if paused else None)


# In the order in which they are told.
_LINES: Mapping[str, Callable[[Object], Iterator[Line]]] = {
    "node": _plain("node"),
    "version": _plain("version"),
    "since": _plain("since"),
    "ready": _ready,
    "outbox": _outbox,
    "listeners": _listeners,
    "sessions": _plain("sessions"),
    "sockets": _plain("sockets"),
    "handshakes": _plain("handshakes"),
    "notify": _plain("notify"),
    "mailnotify": _plain("mailnotify"),
    "mail_server": _mail_server,
}


def _words(name: str) -> str:
    return printable(name.replace("_", " "))


def _value(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.0f}" if value == int(value) else f"{value:.1f}"
        case int() | str():
            return printable(value)
        case dict():
            return ", ".join(f"{_words(name)} {_value(each)}" for name, each in value.items()) or "none"
        case list():
            return "; ".join(map(_value, value)) or "none"
    raise BadData("not JSON")
