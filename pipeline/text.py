"""Makes text from data safe to print, so that nothing in it controls the terminal."""

import unicodedata

# Unicode categories. Cc: control characters such as ESC. Cf: among others, marks that
# turn the direction of writing. Cs: halves of characters, which cannot be printed.
_ACTING = {"Cc", "Cs"}
_TURNING = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
)


def printable(text: str, *, lines: bool = False) -> str:
    r"""Returns `text` with escapes in place of characters that control a terminal.

    Args:
        text: a title, an id or a message.
        lines: whether line ends stay; otherwise they become escapes, too.

    Example:
        >>> print(printable("a\x1b[2Jb\nc"))
        a\x1b[2Jb\x0ac
        >>> printable("Amélie [rec]")
        'Amélie [rec]'
    """
    if text.isprintable():
        return text
    kept = "\n" if lines else ""
    return "".join(c if c in kept else _escaped(c) for c in text)


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, which takes an s in the plural.

    >>> counted(1, "user"), counted(2996, "user")
    ('1 user', '2,996 users')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _escaped(character: str) -> str:
    acts = unicodedata.category(character) in _ACTING or character in _TURNING
    if not acts:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
