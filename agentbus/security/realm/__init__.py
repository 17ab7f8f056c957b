"""A realm: who its operator is, what its roles may do, the files that its servers and members need."""
