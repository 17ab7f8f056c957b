"""Work that survives: shards with one holder each, committed segment by segment."""
