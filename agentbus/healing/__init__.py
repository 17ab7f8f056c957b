"""What to do about faults: quarantine, restart, re-host, probation, rejoin."""
