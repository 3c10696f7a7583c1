"""BulkRecommendations: writes the recommendations of all users as files."""
