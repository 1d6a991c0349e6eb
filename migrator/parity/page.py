"""Parity as one HTML page that needs nothing else. Pure.

Everything that comes from answers is escaped; the page runs no scripts and says so in its policy.
"""

from datetime import UTC, datetime
from html import escape
from typing import Final

from migrator.parity.document import Capability, Group, Report

_STYLE: Final = """
:root { color-scheme: light dark; --line: #d0d4da; --bad: #b3261e; --soft: #5b6470; }
@media (prefers-color-scheme: dark) { :root { --line: #3a4048; --bad: #ff8a80; --soft: #a0a8b4; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font-family: ui-monospace, monospace; font-size: .92em; overflow-wrap: anywhere; }
.real { color: var(--bad); font-weight: 600; }
.noise, .open, small { color: var(--soft); }
"""
_HEADINGS: Final = ("path", "kind", "what it is", "reads", "old against old", "samples")


def page(report: Report) -> str:
    """The whole page."""
    at = datetime.fromtimestamp(report.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = "\n".join(map(_capability, report.parity)) or "<p>No reads were compared.</p>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parity</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Parity</h1>
<p><small>{at}</small></p>
{parts}
</body>
</html>
"""


def _capability(each: Capability) -> str:
    agree = "no reads compared" if each.agree is None else f"{each.agree:.2%} of the reads agree"
    skipped = ", ".join(
        f"{count} {escape(why.replace('_', ' '))}"
        for why, count in sorted(each.not_compared.items())
    )
    figures = (
        f"{each.compared} compared: {each.equal} equal, {each.different} different, "
        f"{each.noise} noise, {each.open} open. Not compared: {skipped or 'none'}."
    )
    heading = f"<h2>{escape(each.title)}: {agree}</h2>\n<p>{figures}</p>"
    if not each.groups:
        return heading
    titles = "".join(f'<th scope="col">{title}</th>' for title in _HEADINGS)
    rows = "\n".join(_row(group, each) for group in each.groups)
    return (
        f"{heading}\n<table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    )


def _row(group: Group, capability: Capability) -> str:
    samples = "<br>".join(
        f"<code>{escape(f'{each.method} {each.target}')}</code> "
        f"<small>old</small> <code>{escape(each.old)}</code> "
        f"<small>new</small> <code>{escape(each.new)}</code>"
        for each in group.samples
    )
    return (
        f"<tr><td><code>{escape(group.path)}</code></td><td>{escape(group.kind)}</td>"
        f'<td class="{group.verdict}">{group.verdict}</td>'
        f'<td class="number">{group.count} of {capability.compared}</td>'
        f'<td class="number">{group.noise} of {capability.repeated}</td><td>{samples}</td></tr>'
    )
