"""BlessedRanks: lets models blessed before rank the lists that evaluate a new one."""
