"""BulkRecommendations: everybody's list, as files."""
