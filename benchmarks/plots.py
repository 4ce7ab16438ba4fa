"""Plots as SVG, without a library: readable on light pages and on dark ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH_PX, LABELS_PX, BARS_PX = 760, 210, 440
ROW_PX, GAP_PX, TITLE_PX = 22, 26, 24
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; }
.value, .legend { font-size: 12px; fill: #57606a; }
.line { stroke: #8c959f; stroke-width: 2; }
.web { fill: #3f7fbf; } .worker, .python { fill: #2f9e6e; } .redis { fill: #cc6b49; }
.postgres { fill: #8e6bbf; } .ours { fill: #2f9e6e; } .theirs { fill: #8c959f; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .value, .legend { fill: #9da7b3; } .line { stroke: #6e7681; }
  .web { fill: #6ca9e6; } .worker, .python, .ours { fill: #56c596; } .redis { fill: #e8906f; }
  .postgres { fill: #b595e0; } .theirs { fill: #7d8590; }
}
</style>"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A name, and the parts of its bar: a class of STYLE and a value each."""

    name: str
    parts: tuple[tuple[str, float], ...]

    @property
    def value(self) -> float:
        return sum(value for _, value in self.parts)


@dataclass(frozen=True, slots=True)
class Range:
    """A name with a median and a high quantile."""

    name: str
    low: float
    high: float
    kind: str


def draw_bars(panels: Sequence[tuple[str, Sequence[Bar]]], unit: str) -> str:
    """Return horizontal bars in panels, each with a scale of its own."""
    elements: list[str] = []
    y = 0
    for title, rows in panels:
        y = _draw_title(elements, title, y)
        longest = max((bar.value for bar in rows), default=1.0) or 1.0
        for bar in rows:
            _draw_label(elements, bar.name, y)
            x = float(LABELS_PX)
            for kind, value in bar.parts:
                width = BARS_PX * value / longest
                elements.append(
                    f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="14"/>'
                )
                x += width
            elements.append(
                f'<text class="value" x="{x + 8:.1f}" y="{y + 12}">'
                f"{_format_number(bar.value)}</text>"
            )
            y += ROW_PX
        y += GAP_PX
    kinds = dict.fromkeys(kind for _, rows in panels for bar in rows for kind, _ in bar.parts)
    legend_kinds = [kind for kind in kinds if kind not in ("ours", "theirs")]
    return _build_svg(elements, _draw_legend(legend_kinds, unit, y))


def draw_ranges(panels: Sequence[tuple[str, Sequence[Range]]], unit: str) -> str:
    """Return ranges from the median to the high quantile, on one logarithmic scale for all."""
    values = [value for _, rows in panels for r in rows for value in (r.low, r.high)]
    least, most = math.log10(max(min(values), 0.1)), math.log10(max(values))

    def at(value: float) -> float:
        return LABELS_PX + BARS_PX * (math.log10(max(value, 0.1)) - least) / ((most - least) or 1)

    elements: list[str] = []
    y = 0
    for title, rows in panels:
        y = _draw_title(elements, title, y)
        for row in rows:
            _draw_label(elements, row.name, y)
            low, high = at(row.low), at(row.high)
            elements.append(
                f'<line class="line" x1="{low:.1f}" x2="{high:.1f}" y1="{y + 8}" y2="{y + 8}"/>'
                f'<circle class="{row.kind}" cx="{low:.1f}" cy="{y + 8}" r="5"/>'
                f'<circle class="{row.kind}" cx="{high:.1f}" cy="{y + 8}" r="3"/>'
                f'<text class="value" x="{high + 10:.1f}" y="{y + 12}">'
                f"{_format_number(row.low)} – {_format_number(row.high)}</text>"
            )
            y += ROW_PX
        y += GAP_PX
    return _build_svg(elements, _draw_legend([], unit, y))


def _draw_title(elements: list[str], title: str, y: int) -> int:
    elements.append(f'<text class="title" x="0" y="{y + 14}">{escape(title)}</text>')
    return y + TITLE_PX


def _draw_label(elements: list[str], name: str, y: int) -> None:
    elements.append(
        f'<text x="{LABELS_PX - 10}" y="{y + 12}" text-anchor="end">{escape(name)}</text>'
    )


def _draw_legend(kinds: Iterable[str], unit: str, y: int) -> tuple[list[str], int]:
    elements = [f'<text class="legend" x="0" y="{y}">{escape(unit)}</text>']
    x = LABELS_PX + 120
    for kind in kinds:
        elements.append(
            f'<rect class="{kind}" x="{x}" y="{y - 10}" width="10" height="10"/>'
            f'<text class="legend" x="{x + 15}" y="{y}">{kind}</text>'
        )
        x += 90
    return elements, y + 10


def _build_svg(elements: Sequence[str], legend: tuple[list[str], int]) -> str:
    body, height = "\n".join([*elements, *legend[0]]), legend[1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -4 {WIDTH_PX} {height + 8}" '
        f'width="{WIDTH_PX}" height="{height + 8}">\n{STYLE}\n{body}\n</svg>\n'
    )


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
