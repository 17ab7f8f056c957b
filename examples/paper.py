"""SVG by hand, for the examples' pictures: a sheet of paper, and what is drawn on it.

The paper is white with a thin edge, so that it can be read on light and dark pages. The colours are those of M. Okabe
and K. Ito, "Color Universal Design" (2008), which people of all kinds of colour vision can tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

INK, FAINT, GRID = "#1f2937", "#6b7280", "#e5e7eb"
ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
)

Point = tuple[float, float]


class Paper:
    """A picture of so many units.

    Args:
        label: what it shows, for those who can't see it.
    """

    def __init__(self, width: float, height: float, label: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" role="img" '
            f'aria-label="{escape(label, quote=True)}">',
            f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="6" fill="#ffffff" '
            f'stroke="{GRID}"/>',
        ]

    def svg(self) -> str:
        """The picture."""
        return "\n".join([*self._parts, "</svg>\n"])

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        fill: str = INK,
        size: float = 12,
        bold: bool = False,
    ) -> None:
        """Words; `anchor`: ``start``, ``middle`` or ``end`` is at x."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size:g}"{weight}>'
            f"{escape(words)}</text>"
        )

    def box(self, x: float, y: float, width: float, height: float, fill: str, *, opacity: float = 1.0) -> None:
        """A rectangle."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height:.1f}" fill="{fill}"'
            f"{_opacity(opacity)}/>"
        )

    def line(self, start: Point, end: Point, colour: str = GRID, *, width: float = 1.0, dash: str = "") -> None:
        """A straight line."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="{colour}" '
            f'stroke-width="{width:g}"{dashes}/>'
        )

    def curve(self, points: Iterable[Point], colour: str, *, width: float = 2.0, dash: str = "") -> None:
        """Lines from point to point."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<polyline points="{_points(points)}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
            f'stroke-linejoin="round"{dashes}/>'
        )

    def area(self, points: Iterable[Point], fill: str, *, opacity: float = 1.0) -> None:
        """A filled polygon."""
        self._parts.append(f'<polygon points="{_points(points)}" fill="{fill}"{_opacity(opacity)}/>')

    def dot(self, x: float, y: float, fill: str, *, radius: float = 4.0, hollow: bool = False) -> None:
        """A round dot; hollow: its edge in that colour, white inside."""
        look = f'fill="#ffffff" stroke="{fill}" stroke-width="2"' if hollow else f'fill="{fill}"'
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" {look}/>')


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _opacity(opacity: float) -> str:
    return "" if opacity == 1.0 else f' opacity="{opacity:g}"'
