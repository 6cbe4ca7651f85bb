"""What `wirehop bench` shows: rows for a table, bars and a latency curve for the terminal, and a page.

It knows a `Report`. It writes no file and prints nothing; the command does.
"""

from html import escape
from typing import Final

from msgspec import Struct

from wirehop.bench import svg
from wirehop.bench.run import Report, Side

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
BAR: Final = "█"
BAR_PARTS: Final = " ▏▎▍▌▋▊▉"
NOTHING: Final = "–"


class Row(Struct, frozen=True):
    """One line of the table. The ratio is wirehop's figure over the floor's; lower is better, or empty."""

    what: str
    wirehop: str
    floor: str
    ratio: str = ""


def rows(report: Report) -> list[Row]:
    """The table."""
    ours, floor = report.wirehop, report.floor
    found = [
        _cost("CPU per delivery", ours.fan_out_us, floor.fan_out_us if floor else None),
        _rate("deliveries a second", ours.deliveries_per_second, floor.deliveries_per_second if floor else None),
        _cost("CPU per connect", ours.connect_us, floor.connect_us if floor else None),
        _rate("connects a second", ours.connects_per_second, floor.connects_per_second if floor else None),
        _cost("CPU per echo", ours.echo_us, floor.echo_us if floor else None),
        _rate("echoes a second", ours.echoes_per_second, floor.echoes_per_second if floor else None),
        Row("latency, half below", _ms(ours.p50_ms), _ms(floor.p50_ms) if floor else NOTHING),
        Row("latency, 99 % below", _ms(ours.p99_ms), _ms(floor.p99_ms) if floor else NOTHING),
        Row("memory of a connection", _bytes(ours.bytes_each), _bytes(floor.bytes_each) if floor else NOTHING),
    ]
    if ours.missing or (floor.missing if floor else None):
        found.append(Row("MISSING deliveries", f"{ours.missing:,}", f"{floor.missing:,}" if floor else NOTHING))
    return found


def _cost(what: str, ours: float | None, floor: float | None) -> Row:
    ratio = f"{ours / floor:.2f}" if ours is not None and floor else ""
    return Row(what, _us(ours), _us(floor), ratio)


def _rate(what: str, ours: float, floor: float | None) -> Row:
    return Row(what, f"{ours:,.0f}", NOTHING if floor is None else f"{floor:,.0f}")


def _us(value: float | None) -> str:
    return NOTHING if value is None else f"{svg.number(value)} µs"


def _ms(value: float) -> str:
    return f"{value:.2f} ms"


def _bytes(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f} bytes"


def headline(report: Report) -> str:
    """What was measured, in a sentence."""
    plan, machine = report.plan, report.machine
    return (
        f"wirehop {machine.version} on {machine.loop} with {machine.sender}, Python {machine.python}, "
        f"{machine.system}, {machine.processor}, {machine.cores} cores: {plan.subscribers:,} WebSocket subscribers, "
        f"{plan.size} bytes, "
        f"{plan.echoes} clients in the echo; the least of {plan.rounds} round{'s' if plan.rounds > 1 else ''}"
    )


def costs(report: Report) -> list[tuple[str, list[svg.Bar]]]:
    """What is drawn as bars, by title; only what is known."""
    sides = [side for side in (report.wirehop, report.floor) if side is not None]
    drawn = []
    for title, name in (
        ("CPU per delivery (µs)", "fan_out_us"),
        ("CPU per connect (µs)", "connect_us"),
        ("CPU per echo (µs)", "echo_us"),
    ):
        found = [(side, getattr(side, name)) for side in sides]
        bars = [svg.Bar(_title(side), value, side.name == "wirehop") for side, value in found if value is not None]
        if bars:
            drawn.append((title, bars))
    return drawn


def _title(side: Side) -> str:
    return "wirehop" if side.name == "wirehop" else "C, send(2)"


def bar_of_text(value: float, most: float, width: int) -> str:
    """A bar of block characters, an eighth of a cell exact."""
    eighths = round(8 * width * value / most) if most > 0 else 0
    whole, part = divmod(max(1, eighths), 8)
    return BAR * whole + (BAR_PARTS[part] if part else "")


def curve_of_text(shape: tuple[int, ...]) -> str:
    """A line of block characters, as high as the counts; what is there at all has the lowest block."""
    most = max(shape, default=0)
    if not most:
        return ""
    return "".join(BLOCKS[max(1, round(8 * count / most))] if count else BLOCKS[0] for count in shape)


def page(report: Report) -> str:
    """All of it as a page that needs nothing else."""
    table = "\n".join(
        f"<tr><td>{escape(row.what)}</td><td>{escape(row.wirehop)}</td><td>{escape(row.floor)}</td>"
        f"<td>{escape(row.ratio)}</td></tr>"
        for row in rows(report)
    )
    pictures = [svg.bars(title, bars) for title, bars in costs(report)]
    shape = report.wirehop.shape
    if shape:
        step = report.wirehop.shape_ms / len(shape)
        points = tuple((round((place + 1) * step, 4), float(count)) for place, count in enumerate(shape))
        title = f"Latency at {report.wirehop.steady_per_second:,.0f} deliveries a second"
        pictures.append(svg.lines(title, [svg.Line("deliveries", points, is_ours=True)], x_title="milliseconds"))
    note = f"<p>{escape(report.no_floor)}.</p>" if report.no_floor else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>wirehop bench</title>\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        "<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:800px;margin:2rem auto;"
        "padding:0 1rem}td,th{padding:.2rem 1rem .2rem 0;text-align:right}"
        "td:first-child,th:first-child{text-align:left}"
        "svg{max-width:100%;height:auto;display:block;margin:1.5rem 0}</style></head>\n"
        f"<body><h1>wirehop bench</h1>\n<p>{escape(headline(report))}. {escape(report.machine.date)}</p>\n"
        f"<table><tr><th></th><th>wirehop</th><th>C, send(2)</th><th>ratio</th></tr>\n{table}\n</table>\n{note}"
        + "\n".join(pictures)
        + "\n</body></html>\n"
    )
