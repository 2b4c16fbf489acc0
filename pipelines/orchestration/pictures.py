"""Small charts for the web UI: bars, a curve and a heat map, written here as SVG. Importing a plotting library
would add half a second to every refresh.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import floor, log10

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 34, 34
COLOURS: Mapping[str, str] = {
    "zaptec": "#2f6fde",
    "jedlix": "#e5883a",
    "greenflux": "#3d9a5f",
    "smappee": "#b04a8f",
}
OTHER_COLOUR = "#7a8699"
INK, FAINT = "#3c4654", "#d5dae1"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = 24


def as_markdown(svg: str, title: str) -> str:
    """The picture as a Markdown image with its data inline, so that showing it needs no request."""
    return f"![{title}](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def stacked_bars(title: str, labels: Sequence[str], values: Mapping[str, Sequence[float]], unit: str) -> str:
    """One bar per label, with a layer for each vendor."""
    totals = [sum(layer[place] for layer in values.values()) for place in range(len(labels))]
    most = _axis_top(max(totals, default=0.0))
    step = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    parts = [*_frame(title, most, unit), *_legend(list(values))]
    heights = [0.0] * len(labels)
    for name, layer in values.items():
        for place, value in enumerate(layer):
            height = _height(value, most)
            heights[place] += height
            if height > 0:
                parts.append(
                    f'<rect x="{LEFT + step * place + step * 0.12:.1f}" y="{HEIGHT - BOTTOM - heights[place]:.1f}" '
                    f'width="{step * 0.76:.1f}" height="{height:.1f}" fill="{COLOURS.get(name, OTHER_COLOUR)}"/>'
                )
    every = max(1, -(-len(labels) // 12))
    parts.extend(
        _text(LEFT + step * (place + 0.5), HEIGHT - BOTTOM + 15, label, "middle")
        for place, label in enumerate(labels)
        if place % every == 0
    )
    return _svg(parts)


def week_curve(title: str, values: Sequence[float], unit: str) -> str:
    """A curve over the hours of a week, from Monday at midnight."""
    most = _axis_top(max(values, default=0.0))
    step = (WIDTH - LEFT - RIGHT) / (len(DAYS) * HOURS)
    points = [
        f"{LEFT + step * (hour + 0.5):.1f},{HEIGHT - BOTTOM - _height(value, most):.1f}"
        for hour, value in enumerate(values)
    ]
    base = HEIGHT - BOTTOM
    parts = _frame(title, most, unit)
    parts.append(
        f'<polygon points="{LEFT},{base} {" ".join(points)} {WIDTH - RIGHT},{base}" fill="#2f6fde" '
        'fill-opacity="0.15"/>'
    )
    parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="#2f6fde" stroke-width="1.6"/>')
    for day, name in enumerate(DAYS):
        begin = LEFT + step * HOURS * day
        parts.append(f'<path d="M{begin:.1f} {TOP}V{base}" stroke="{FAINT}"/>')
        parts.append(_text(begin + step * HOURS / 2, base + 15, name, "middle"))
    return _svg(parts)


def heat_map(title: str, values: Sequence[float], unit: str) -> str:
    """One square per hour of the week and one row per day; darker means more."""
    most = max(values, default=0.0) or 1.0
    step, height = (WIDTH - LEFT - RIGHT) / HOURS, (HEIGHT - TOP - BOTTOM) / len(DAYS)
    parts = [_text(LEFT, 18, title, "start", 13), _text(WIDTH - RIGHT, 18, f"maximum: {_short(most)} {unit}", "end")]
    # One path per shade, not per square, keeps the picture to a few thousand characters.
    shades: dict[int, list[str]] = {}
    for hour, value in enumerate(values):
        left, top = LEFT + step * (hour % HOURS), TOP + height * (hour // HOURS)
        square = f"M{left:.1f} {top:.1f}h{step - 1:.1f}v{height - 1:.1f}h-{step - 1:.1f}z"
        shades.setdefault(round(value / most * 20), []).append(square)
    parts.extend(
        f'<path d="{"".join(squares)}" fill="#2f6fde" fill-opacity="{0.04 + 0.048 * shade:.2f}"/>'
        for shade, squares in sorted(shades.items())
    )
    parts.extend(_text(LEFT - 8, TOP + height * (day + 0.5) + 4, name, "end") for day, name in enumerate(DAYS))
    parts.extend(
        _text(LEFT + step * (hour + 0.5), HEIGHT - BOTTOM + 15, f"{hour:02d}", "middle") for hour in range(0, HOURS, 3)
    )
    return _svg(parts)


def _frame(title: str, most: float, unit: str) -> list[str]:
    """The title, and grid lines at zero, half and the top of the axis."""
    parts = [_text(LEFT, 18, f"{title} [{unit}]", "start", 13)]
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - BOTTOM - _height(most * share, most)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{FAINT}"/>')
        parts.append(_text(LEFT - 8, y + 4, _short(most * share), "end"))
    return parts


def _legend(names: Sequence[str]) -> Iterator[str]:
    for place, name in enumerate(reversed(names)):
        right = WIDTH - RIGHT - 84 * place
        yield f'<rect x="{right - 78}" y="9" width="10" height="10" fill="{COLOURS.get(name, OTHER_COLOUR)}"/>'
        yield _text(right - 64, 18, name, "start")


def _svg(parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="{INK}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def _axis_top(most: float) -> float:
    """The top of the axis: the next number that is round and whose half is round too."""
    if most <= 0:
        return 1.0
    power = 10.0 ** floor(log10(most))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= most)


def _height(value: float, most: float) -> float:
    return (HEIGHT - TOP - BOTTOM) * max(value, 0.0) / most


def _short(value: float) -> str:
    """A number as an axis shows it."""
    if value >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:,.1f}"
