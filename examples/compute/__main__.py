"""``python -m examples.compute``: see `examples.compute`.

Exit status: 0 when the ledger is sound; 1 when not, or when there is no broker; 2 for wrong options; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

import examples.compute
from agentbus import AgentBusError
from agentbus.observability.logs import configure

from .buyer import PATIENCE_S
from .cast import UNITS
from .market import MOST_ROUNDS, ROUNDS, SAMPLE, Story, live
from .picture import draw
from .screen import show


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; ends the program with status 2 when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.compute",
        description=examples.compute.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--seed", type=int, default=1, help="of prices, lies and samples (default 1)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"of three jobs (default {ROUNDS})")
    parser.add_argument(
        "--sample",
        type=int,
        default=SAMPLE,
        metavar="N",
        help=f"answers of a job's {UNITS} to check (default {SAMPLE})",
    )
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_S, metavar="S", help="seconds to wait for who is silent (default 1)"
    )
    parser.add_argument("--url", default="memory://compute", help="the broker (default: memory, in this process)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the picture")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    options = parser.parse_args(words)
    if not 1 <= options.rounds <= MOST_ROUNDS:
        parser.error(f"--rounds {options.rounds}: use 1 to {MOST_ROUNDS}")
    if not 0 <= options.sample <= UNITS:
        parser.error(f"--sample {options.sample}: use 0 to {UNITS}")
    if not 0.01 <= options.patience <= 30:
        parser.error(f"--patience {options.patience:g}: use 0.01 to 30 seconds")
    for path in (options.svg, options.json):
        if path is not None and not path.absolute().parent.is_dir():
            parser.error(f"{path}: there is no folder {path.parent}")
    return options


def document(story: Story) -> dict[str, Any]:
    """The run as JSON; money in cents."""
    return {
        "seed": story.seed,
        "sample": story.sample,
        "providers": {name: asdict(account) for name, account in story.accounts.items()},
        "buyers": story.left,
        "deals": [{**asdict(deal), "state": deal.state.value} for deal in story.deals],
        "trust": story.trust,
        "late": story.late,
        "answers": story.answers,
        "wrong": story.wrong,
        "off": story.off,
        "false": story.false,
        "expected": story.expected,
        "exact": story.exact,
        "sound": story.conserved,
    }


def main(words: Sequence[str] | None = None) -> int:
    """Lives the rounds, prints and writes; returns the exit status."""
    options = parse(words)
    configure("warning")
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        with console.status(f"{options.rounds} rounds"):
            story = asyncio.run(
                live(options.seed, options.rounds, options.sample, options.url, patience_s=options.patience)
            )
    except KeyboardInterrupt:
        return 130
    except AgentBusError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    show(console, story)
    if options.svg:
        about = (
            f"run {options.seed}: three buyers, {options.rounds} rounds; a buyer checks {options.sample} of a job's "
            f"{UNITS} answers"
        )
        options.svg.write_text(draw(story, about), "utf-8")
    if options.json:
        options.json.write_text(json.dumps(document(story), indent=1) + "\n", "utf-8")
    return 0 if story.conserved else 1


if __name__ == "__main__":
    sys.exit(main())
