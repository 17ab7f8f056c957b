"""Windows: what an operator sees of a network. Logs so far."""
