"""Charts as SVG text: bars, and lines over logarithmic axes, with the spread of the runs. Knows nothing of figures."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape

from papers.tables import number

WIDTH, LEFT, RIGHT, TOP = 760, 190, 110, 56
ROW, BAR = 30, 16
PLOT_HEIGHT, BELOW = 300, 52
COLOURS = ("#1f6f8b", "#c8553d", "#6a994e", "#8d6a9f", "#b08900", "#555555")
Values = Sequence[float]
"""A figure's runs: drawn as the median, with a thin line from minimum to maximum."""
Scale = Callable[[float], float]


def bars(title: str, unit: str, rows: Sequence[tuple[str, Values]], logarithmic: bool = False) -> str:
    """Horizontal bars, one a row, from 0; logarithmic ones from the power of ten below all values."""
    found = [value for _, values in rows for value in values]
    ticks = powers(*decades(found)) if logarithmic else multiples(found)
    scale = (log_scale if logarithmic else linear_scale)(ticks[0], ticks[-1], LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(rows)
    parts = [*vertical_grid(ticks, scale, bottom), text(LEFT, bottom + 36, unit, "start")]
    for index, (label, values) in enumerate(rows):
        middle, median = TOP + ROW * index + ROW / 2, statistics.median(values)
        parts.append(text(LEFT - 8, middle + 4, label, "end"))
        size = f'width="{scale(median) - LEFT:.1f}" height="{BAR}" fill="{COLOURS[0]}"'
        parts.append(f'<rect x="{LEFT}" y="{middle - BAR / 2:.1f}" {size}/>')
        parts.append(line(scale(min(values)), middle, scale(max(values)), middle, "#000"))
        parts.append(text(scale(max(values)) + 6, middle + 4, number(median), "start"))
    return document(title, bottom + BELOW, parts)


def lines(title: str, across: str, up: str, series: Mapping[str, Sequence[tuple[float, Values]]]) -> str:
    """A line a series through the medians; points are (x, runs)."""
    points = [point for row in series.values() for point in row]
    low_x, high_x = decades([x for x, _ in points])
    low, high = decades([value for _, values in points for value in values])
    bottom = TOP + PLOT_HEIGHT
    scale_x, scale_y = log_scale(low_x, high_x, LEFT, WIDTH - RIGHT), log_scale(low, high, bottom, TOP)
    parts = [*vertical_grid(powers(low_x, high_x), scale_x, bottom), *horizontal_grid(powers(low, high), scale_y)]
    parts += [text(LEFT, bottom + 36, across, "start"), text(LEFT - 8, TOP - 10, up, "end")]
    for index, (name, row) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        spots = [(scale_x(x), scale_y(statistics.median(values))) for x, values in row]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), (_, values) in zip(spots, row, strict=True):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
            parts.append(line(x, scale_y(min(values)), x, scale_y(max(values)), colour))
        parts.append(text(spots[-1][0] + 8, spots[-1][1] + 4, name, "start", colour))
    return document(title, bottom + BELOW, parts)


def decades(values: Values) -> tuple[float, float]:
    """The powers of ten around all values above 0."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def log_scale(low: float, high: float, begin: float, end: float) -> Scale:
    """From [low, high] to [begin, end]; what is below `low` lies at `begin`."""
    span = math.log10(high / low)
    return lambda value: begin + (end - begin) * math.log10(max(value, low) / low) / span


def linear_scale(low: float, high: float, begin: float, end: float) -> Scale:
    """From [low, high] to [begin, end]."""
    return lambda value: begin + (end - begin) * (value - low) / (high - low)


def multiples(values: Values) -> list[float]:
    """Round numbers from 0 to above all values, at most eleven."""
    highest = max([*values, 0.0]) or 1.0
    step = 10.0 ** math.floor(math.log10(highest))
    return [step * index for index in range(math.ceil(highest / step) + 1)]


def powers(low: float, high: float) -> list[float]:
    """The powers of ten from `low` to `high`."""
    return [low * 10**step for step in range(round(math.log10(high / low)) + 1)]


def vertical_grid(ticks: Sequence[float], scale: Scale, bottom: float) -> list[str]:
    found = []
    for tick in ticks:
        found.append(line(scale(tick), TOP - 6, scale(tick), bottom, "#ddd"))
        found.append(text(scale(tick), bottom + 18, number(tick), "middle", "#555"))
    return found


def horizontal_grid(ticks: Sequence[float], scale: Scale) -> list[str]:
    found = []
    for tick in ticks:
        found.append(line(LEFT, scale(tick), WIDTH - RIGHT, scale(tick), "#ddd"))
        found.append(text(LEFT - 8, scale(tick) + 4, number(tick), "end", "#555"))
    return found


def line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def text(x: float, y: float, words: str, anchor: str, colour: str = "#000") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def document(title: str, height: float, parts: Sequence[str]) -> str:
    """The whole file, on white, so that it can be read on a dark page too."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" font-family="sans-serif"'
    body = [f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>', title_text(title), *parts]
    return "\n".join([f'{head} font-size="13" role="img">', f"<title>{escape(title)}</title>", *body, "</svg>", ""])


def title_text(title: str) -> str:
    return f'<text x="16" y="26" font-size="16" font-weight="bold">{escape(title)}</text>'
