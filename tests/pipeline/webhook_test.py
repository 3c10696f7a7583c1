"""The address of a webhook is a secret: it is checked and posted to, never shown."""

import pytest

from pipeline import cli, webhook

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"ftp://chat.example/{SECRET}", "must begin with http"),
        (SECRET, "must begin with http"),
        (f"https://chat.example/{SECRET} more", "no blank"),
        (f"https://chat.example/{SECRET}\x7f", "no control character"),
    ],
)
def test_what_is_no_address_is_refused_without_being_shown(url, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        webhook.check(url)
    assert SECRET not in str(refused.value)
    with pytest.raises(webhook.WebhookError, match=reason) as failed:
        webhook.post(url, {})
    assert SECRET not in str(failed.value)


@pytest.mark.parametrize(
    "command", [["retry", "--webhook", SECRET, "--", "run"], ["schedule", "local"]]
)
def test_commands_refuse_without_showing_the_address(command, monkeypatch, capsys):
    monkeypatch.setenv("NCF_WEBHOOK", f"ftp://{SECRET}")
    with pytest.raises(SystemExit) as ended:
        cli.app(command)
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert "must begin with http" in said.err
    assert SECRET not in said.out + said.err
