"""Makes the files of systemd, or the line of cron, that start runs."""

import dataclasses
import pathlib
import re
import shlex
from collections.abc import Sequence

from pipeline.cluster import cron as cron_rule
from pipeline.schedule import calendar

_SERVICE = """\
# Written by `ncf schedule local`.
[Unit]
Description=Retraining of {name}

[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart={command}
# The run knows its own end; a second one in the same folder is refused by its lock.
TimeoutStartSec=infinity
"""
_TIMER = """\
# Written by `ncf schedule local`, from cron's {cron}.
[Unit]
Description=When {name} is retrained

[Timer]
OnCalendar={calendar}
# A night on which the machine was off is made up for.
Persistent=true

[Install]
WantedBy=timers.target
"""
# The largest minute, hour, day, month and weekday.
_MOST = (59, 23, 31, 12, 6)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """A command that is run again and again.

    Attributes:
        name: of the units of systemd.
        cron: when to run: minute, hour, day, month, weekday.
        run: arguments of `ncf`, such as `run --config nightly.yaml`.
        folder: the working folder, in which relative paths begin.
        program: the path of `ncf`.
        retries: how often a failed run is tried again.
        retry_after_s: seconds to wait before a run is tried again.
        webhook: URL to which a failure is posted; None posts nothing.
    """

    name: str
    cron: str
    run: Sequence[str]
    folder: pathlib.Path
    program: pathlib.Path
    retries: int = 2
    retry_after_s: float = 600
    webhook: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "`--name` must be letters, digits, dots, hyphens and underscores, a "
                f"letter or digit first; got {self.name!r}."
            )
        if "\n" in str(self.folder):
            raise ValueError(f"A folder needs a name on one line; got {self.folder}.")

    def command(self) -> list[str]:
        """Returns the command `ncf retry` with its arguments.

        Raises:
            ValueError: a word has a character that one kind of file does not allow.
        """
        told = ["--webhook", self.webhook] if self.webhook else []
        words = [
            *(str(self.program), "retry", "--times", str(self.retries)),
            *("--after-s", f"{self.retry_after_s:g}", *told, "--", *self.run),
        ]
        for word in words:
            if any(sign in word for sign in "'\\\n"):
                raise ValueError(
                    "A scheduled command must have no quote, backslash or line break; "
                    f"got {word!r}. Put it into the configuration file."
                )
        return words


def units(job: Job) -> dict[str, str]:
    """Returns the files of systemd by name: a service and its timer."""
    command = shlex.join(job.command()).replace("$", "$$")
    return {
        f"{job.name}.service": _SERVICE.format(
            name=job.name,
            # systemd replaces %n and the like.
            folder=str(job.folder).replace("%", "%%"),
            command=command.replace("%", "%%"),
        ),
        f"{job.name}.timer": _TIMER.format(
            name=job.name, cron=job.cron, calendar=calendar.on_calendar(job.cron)
        ),
    }


def cron_line(job: Job) -> str:
    """Returns the line of a crontab. Cron uses the machine's time zone."""
    given = cron_rule.check(job.cron, option="--cron")
    fields = " ".join(map(_classic, given, _MOST))
    command = f"cd {shlex.quote(str(job.folder))} && {shlex.join(job.command())}"
    return f"{fields} {command}".replace("%", r"\%")


def _classic(field: str, most: int) -> str:
    """Returns a field for cron daemons, which know neither ? nor 5/10 (5-59/10)."""
    parts = field.replace("?", "*").split(",")
    return ",".join(re.sub(r"^(\w+)/", rf"\1-{most}/", part) for part in parts)
