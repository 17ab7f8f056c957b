"""An append-only log that cannot be rewritten unnoticed."""
