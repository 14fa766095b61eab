"""The page's style sheet: light and dark, readable on paper, no fonts or files from elsewhere."""

from __future__ import annotations

GOOD = frozenset({"ok", "filled", "finished"})
QUIET = frozenset({"untouched", "unpredicted", "unmeasured", "tied", "kept", "frozen", "empty", "eliminated"})
"""Verdicts and statuses that are neither good nor bad; every other word is bad."""


def tone(word: str) -> str:
    """ "good", "quiet" or "bad": how a verdict or status is to look, on a page or in a terminal."""
    if word in GOOD:
        return "good"
    return "quiet" if word in QUIET else "bad"


SHEET = """\
:root { color-scheme: light dark;
  --ink: #1d2330; --paper: #ffffff; --soft: #667085; --line: #d8dde6; --band: #f5f7fa;
  --good: #17703c; --bad: #b42318; --first: #1f5fbf; --second: #b3540a; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e4e8ef; --paper: #14171d; --soft: #98a2b3; --line: #343b47; --band: #1b1f27;
  --good: #5fd08f; --bad: #ff8a7d; --first: #7fb0ff; --second: #f5a662; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 125rem; color: var(--ink);
  background: var(--paper); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .75rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p, ol, ul { max-width: 70rem; }
.lead { font-size: 1.1rem; font-weight: 600; }
.note { color: var(--soft); font-size: .87rem; max-width: 60rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .35rem; text-align: left; vertical-align: top; }
th, td { border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
th.right, td.right { text-align: right; white-space: nowrap; }
tbody tr:hover { background: var(--band); }
td.name, pre { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .8rem; }
.prose { min-width: 9rem; }
pre { background: var(--band); padding: .8rem 1rem; overflow-x: auto; }
.good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
.quiet { color: var(--soft); }
svg { max-width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 12px; }
svg .grid { stroke: var(--line); }
svg .s0 { stroke: var(--first); fill: var(--first); }
svg .s1 { stroke: var(--second); fill: var(--second); }
svg path.s0, svg path.s1 { fill: none; stroke-width: 2; }
svg text.s0, svg text.s1 { stroke: none; font-weight: 600; }
"""
