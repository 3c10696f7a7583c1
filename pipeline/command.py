"""The program `ncf`. Ctrl-C ends it quietly also while its commands are loaded."""

import signal


def main() -> None:
    """Runs the command."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.default_int_handler:  # A shell may have it ignored.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipeline import cli

    signal.signal(signal.SIGINT, before)
    cli.main()


if __name__ == "__main__":
    main()
