"""Cuts text files into blocks of whole lines, and checks that they are text."""

from collections.abc import Iterator, Sequence

from components.interactions_example_gen import faults, files

LONGEST_LINE = 1 << 20  # Bytes. Without a limit an endless line would fill the memory.


def read(path: str, block_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yields blocks as (number of the first line, whole lines ending in LF), in order.

    The last line of the file may have no line end.

    Raises:
        ValueError: the file is no UTF-8 text, is cut short, or has an endless line.
    """
    line = 1
    pending = bytearray()
    for number, piece in enumerate(files.read_pieces(path)):
        if number == 0:
            piece = _without_mark(piece, path)
        pending += piece
        if len(pending) < block_bytes:
            continue
        # A CR at the end may be the first half of a CR LF.
        end = max(pending.rfind(b"\n"), pending.rfind(b"\r", 0, -1)) + 1
        if end:
            text = _normal(bytes(pending[:end]))
            del pending[:end]
            yield line, text
            line += text.count(b"\n")
        if len(pending) > block_bytes + LONGEST_LINE:
            raise ValueError(
                f"{path}, line {line}: a line must end within {LONGEST_LINE:,} bytes; "
                f"after {len(pending):,} this one has not. Is it a table of text?"
            )
    if pending:
        yield line, _normal(bytes(pending))


def decode(lines: Sequence[bytes], path: str) -> list[str]:
    """Decodes the lines from which the layout is found; the first must be UTF-8."""
    try:
        first = lines[0].decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}, line 1: must be UTF-8 text; got {lines[0][:60]!r}. Convert the "
            f"file from its encoding, for example with {faults.TO_UTF8}."
        ) from error
    return [first, *(line.decode(errors="replace") for line in lines[1:])]


def _normal(text: bytes) -> bytes:
    """Returns `text` with LF as line end."""
    if b"\r" not in text:
        return text
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _without_mark(piece: bytes, path: str) -> bytes:
    """Drops UTF-8's byte order mark; refuses UTF-16 and binary files."""
    if b"\0" in piece[:1000]:
        raise ValueError(
            f"{path}: must be UTF-8 text, but there are zero bytes in it: UTF-16, or "
            "no text at all. Convert it (`iconv -f UTF-16 -t UTF-8`)."
        )
    return piece.removeprefix(b"\xef\xbb\xbf")
