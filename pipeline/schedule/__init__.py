"""Runs that come again on this machine, by systemd or cron."""
