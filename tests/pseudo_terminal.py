"""Runs a command on a terminal, as a person does, and returns what is shown."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

# An escape sequence that moves the cursor or erases, another one, or plain text.
_TOKENS = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+|\x1b)")


class Screen:
    """What a command wrote to its terminal, and how it ended.

    Attributes:
        raw: all of it, escape sequences too.
        lines: what a person sees at the end: lines drawn over or erased are gone.
        returncode: of the command.
    """

    def __init__(self, raw: str, returncode: int) -> None:
        self.raw, self.returncode = raw, returncode
        self.lines = [line.rstrip() for line in _drawn(raw) if line.strip()]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def _drawn(raw: str) -> list[str]:
    """Returns a terminal's lines; knows the escape sequences that Rich uses."""
    lines, row, column = [""], 0, 0
    for argument, command, back, feed, text in _TOKENS.findall(raw):
        if command == "A":
            row = max(0, row - int(argument or 1))
        elif command == "K":
            lines[row] = "" if argument == "2" else lines[row][:column]
        elif back:
            column = 0
        elif feed:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + text + line[column + len(text) :]
            column += len(text)
    return lines


# These variables would override what the terminal says of itself.
_DECIDED_HERE = ("COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "CI")


def start(command, *, columns=80, rows=24, env=None, **options):
    """Starts `command` on a new terminal; returns the process and the other end.

    `env` is added to the environment.
    """
    kept = {name: v for name, v in os.environ.items() if name not in _DECIDED_HERE}
    other_end, own_end = pty.openpty()
    size = struct.pack("HHHH", rows, columns, 0, 0)
    fcntl.ioctl(own_end, termios.TIOCSWINSZ, size)
    process = subprocess.Popen(
        command,
        stdin=own_end,
        stdout=own_end,
        stderr=own_end,
        start_new_session=True,
        env=kept | {"TERM": "xterm-256color"} | (env or {}),
        **options,
    )
    os.close(own_end)
    return process, other_end


def read_to_end(process, other_end) -> Screen:
    """Waits for the process to end."""
    pieces = []
    while True:
        try:
            piece = os.read(other_end, 1 << 16)
        except OSError:  # Linux's way to say that nobody writes there any more.
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(other_end)
    raw = b"".join(pieces).decode(errors="replace")
    return Screen(raw, process.wait(timeout=60))


def run(command, **options) -> Screen:
    """Runs `command` on a terminal of `columns` by `rows`, 80 by 24 by default."""
    return read_to_end(*start(command, **options))
