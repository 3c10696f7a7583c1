"""Repeated runs on this machine, by systemd or cron."""
