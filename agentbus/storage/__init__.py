"""Key-value stores, leases and checkpoints over the streams of any transport."""
