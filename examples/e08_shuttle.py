"""All together: agents in several processes watch a real sensor stream for anomalies.

See the package `examples.shuttle`, whose ``python -m examples.shuttle`` this is; ``make demo`` runs it, too.
"""

from __future__ import annotations

import sys

from .shuttle.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
