"""BlessedRanks: how models blessed before rank the lists that judge a new one."""
