"""What oxpushctl(1) says of the reports that programs read; backticks stand for bold."""

from __future__ import annotations

INTRODUCTION = """
With `-f json`, `oxpushctl config check`, `oxpushctl config flow` and `oxpushctl test-push` print one object each. Names
and kinds of fields stay as they are; later versions may add some.
"""

# What the objects of reports are, and their fields: name, kind, meaning.
OBJECTS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "`oxpushctl config check` prints:",
        (
            ("findings", "array of objects", "What was found, sorted by file and line."),
            ("flow", "object or null", "What `oxpushctl config flow` prints; null with `--syntax-only`."),
            ("errors", "number", "How many findings are errors. Any makes the exit code 78."),
            ("warnings", "number", "How many are warnings, which `--strict` counts as well."),
        ),
    ),
    (
        "A finding is:",
        (
            (
                "severity",
                "text",
                "`error`: a mistake. `warning`: probably not meant. `info`: worth knowing.",
            ),
            (
                "scope",
                "text",
                "What an error puts out of service: `engine`, nothing starts; `client`, that client, and the others "
                "run; `user`, one user.",
            ),
            ("code", "text", "The kind of finding, such as OXP209: `oxpushctl config explain CODE` tells of it."),
            (
                "file",
                "text",
                "The file, relative to the configuration folder if it is in there; empty where it is about none.",
            ),
            ("line", "number or null", "The line in it, from 1."),
            ("column", "number or null", "The column in it, from 1."),
            (
                "key",
                "text",
                "The property, the client, its CLIENT.OPTION, or Dovecot's setting; empty where it is about none.",
            ),
            ("message", "text", "What is the matter."),
            ("hint", "text", "What to do; empty where that is plain."),
        ),
    ),
    (
        "A flow, which is what `oxpushctl config flow` prints, is:",
        (
            ("spawned", "true or false", "Whether a permanent listener would be spawned."),
            ("implementation", "text or null", "Which would serve: `dovecot`, `imapidle` or `mailnotify`."),
            ("stops_at", "text or null", "The name of the innermost step that stops it first."),
            ("user", "number or null", "The user that was asked for."),
            ("context", "number or null", "That user's context."),
            ("client", "text or null", "The client that was asked for."),
            ("engine_errors", "number", "How many errors keep the engine from starting, whatever `spawned` says."),
            ("steps", "array of objects", "The steps, in order."),
        ),
    ),
    (
        "A step is:",
        (
            ("step", "text", "Its name."),
            ("question", "text", "What it asks."),
            ("answer", "text", "`yes`, `no`, or `not evaluated`, which stops nothing."),
            ("detail", "text", "What follows the answer; may be empty."),
            ("decided_by", "array of objects", "The settings that decided."),
            ("note", "text", "What else is to be known; may be empty."),
            ("advice", "text", "What to do where no setting helps; may be empty."),
            (
                "remedies",
                "array of arrays of objects",
                "Where the answer is no: each is a set of settings that makes it yes.",
            ),
            ("steps", "array of objects", "The steps below it."),
        ),
    ),
    (
        "A setting that decided is:",
        (
            ("key", "text", "The property."),
            ("value", "text or null", "Its value; null where it has none, `(set)` for a secret."),
            ("source", "text", "`FILE:LINE`, `environment`, `-o` or `default`; a secret may have a file of its own."),
            ("file", "text or null", "The source without the line; null for a default."),
            ("line", "number or null", "The line in the file."),
            ("note", "text", "What may be otherwise; may be empty."),
        ),
    ),
    (
        "A setting of a remedy is:",
        (
            ("key", "text", "The property."),
            ("value", "text", "What to set it to."),
            ("place", "text", "`FILE:LINE` where it stands now, else the file that it customarily stands in."),
        ),
    ),
    (
        "`oxpushctl test-push` prints:",
        (
            ("steps", "array of objects", "The steps, in order."),
            ("exit", "number", "The exit code."),
        ),
    ),
    (
        "A step of a test push is as follows; what a step does not have is left out:",
        (
            ("step", "text", "`event`, `subscription`, `route`, `message` or `outcome`."),
            ("text", "text", "What happened."),
            ("blocked", "true or false", "Whether the path ends here."),
            ("client", "text", "The device's client."),
            ("transport", "text", "`apn` or `gcm`."),
            ("payload", "object", "What the device would read."),
            ("options", "object", "What goes to the provider besides: texts by their names."),
            ("verdict", "text", "`delivered`, `token_gone`, `rejected`, `throttled` or `unreachable`."),
            ("status", "number or null", "The provider's HTTP status; null where it gave none."),
            ("reason", "text", "The provider's word for it, or what went wrong before it was asked."),
            ("advice", "text", "What to do; may be empty."),
            ("provider_id", "text", "The provider's own id of the push; may be empty."),
        ),
    ),
)

EXAMPLE = (
    "For example, the places of all errors, one a line:",
    (
        "$ oxpushctl config check -f json | jq -r \\",
        '      \'.findings[] | select(.severity=="error")',
        '       | "\\(.file):\\(.line) \\(.code)"\'',
        "pns-gcm-options.yml:3 OXP209",
    ),
)
