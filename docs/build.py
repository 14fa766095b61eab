"""Write what docs and README have from the code itself: `make readme`.

- docs/schemes.md and docs/names.md, from the registries and the public names;
- in README.md, each block between `<!-- output of: COMMAND -->` and `<!-- end -->`;
- docs/choose.txt and docs/images/choose.svg, from one run of `initwise choose`.

tests/docs holds the first two and the deterministic blocks to what the code says today.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import initwise
from initwise.activations import activations
from initwise.choose.candidates import CANDIDATES
from initwise.problems import problems
from initwise.recipes import recipes
from initwise.schemes import schemes

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- output of: (?P<command>.+?) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)
CHOOSE = "initwise choose"
MADE = "<!-- written by docs/build.py: make readme -->\n"


def schemes_page() -> str:
    """docs/schemes.md: every row of every registry."""
    parts = [
        "# Schemes, activations, recipes",
        MADE + "What there is, from the registries; `initwise explain NAME` tells more of each.",
        "## Schemes",
        _table(
            ("Name", "Law", "What it is", "Source"),
            ((_named(row), f"`{row.formula}`", row.summary, row.citation) for row in schemes()),
        ),
        "## Activations",
        _table(
            ("Name", "Function", "Gain at q = 1", "Source"),
            (
                (_named(row), f"`{row.formula}`", f"{initwise.gain(row.name):.6g}", row.citation)
                for row in activations()
            ),
        ),
        "## Recipes",
        _table(
            ("Name", "What it is", "Source"), ((_named(row), row.summary, row.citation) for row in recipes())
        ),
        "## Candidates of `choose`",
        _table(("Name", "What it does"), ((_named(row), row.says) for row in CANDIDATES)),
        "## Bundled problems",
        _table(
            ("Name", "What it is", "Network"),
            ((_named(row), row.summary, row.architecture) for row in problems()),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def names_page() -> str:
    """docs/names.md: every public name with the first sentence of its docstring."""
    rows = (
        (f"`{name}`", _first_sentence(getattr(initwise, name)))
        for name in initwise.__all__
        if name != "__version__"
    )
    intro = (
        "The public names of `initwise`; `help(initwise.NAME)` tells arguments, units, errors and sources."
    )
    table = _table(("Name", "What it is"), rows)
    return f"# Public names\n\n{MADE}{intro}\n`__version__` is the version.\n\n{table}\n"


def _named(row: object) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in getattr(row, "aliases", ()))
    return f"`{getattr(row, 'name', '')}`" + (f" = {aliases}" if aliases else "")


def _first_sentence(thing: object) -> str:
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    sentence = text.split(". ")[0].rstrip(".")
    return sentence if sentence.endswith("?") else sentence + "."


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def output_of(command: str) -> str:
    """What a command of the README prints; `initwise` and `python` are this environment's."""
    words = command.split()
    program = [sys.executable, "-m", "initwise"] if words[0] == "initwise" else [sys.executable]
    done = subprocess.run([*program, *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout


def blocks(readme: str) -> dict[str, str]:
    """The README's generated blocks: command → what stands there, without the fence."""
    return {match["command"]: _unfenced(match["body"]) for match in BLOCK.finditer(readme)}


def with_blocks(readme: str, outputs: dict[str, str]) -> str:
    """The README with each block's text replaced."""
    return BLOCK.sub(lambda match: match[1] + _fenced(outputs[match["command"]]) + match[4], readme)


def _fenced(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"


def _unfenced(body: str) -> str:
    return body.removeprefix("```text\n").removesuffix("```\n").strip()


def excerpt(report: str) -> str:
    """Of a report of `choose`: the answer and the ranking, without reasons and plan."""
    sections = re.split(r"\n\n(?=\S)", report.strip())
    wanted = ("Use ", "Ranking", "Out, and why", "Signal over depth", "Apply it")
    return "\n\n".join(section for section in sections if section.startswith(wanted))


def picture(report: str) -> str:
    """The report as an SVG of a terminal; no fonts or other things from elsewhere."""
    import io

    from rich.console import Console

    from initwise.cli.output import coloured

    console = Console(width=102, record=True, file=io.StringIO(), color_system="truecolor")
    console.print(coloured(report + "\n"))  # the last line's underscores would be cut off
    svg = console.export_svg(title=CHOOSE, unique_id="initwise")
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def main() -> None:
    (ROOT / "docs" / "schemes.md").write_text(schemes_page(), encoding="utf-8")
    (ROOT / "docs" / "names.md").write_text(names_page(), encoding="utf-8")
    report = output_of(CHOOSE)
    (ROOT / "docs" / "choose.txt").write_text(report, encoding="utf-8")
    (ROOT / "docs" / "images" / "choose.svg").write_text(picture(excerpt(report)), encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    outputs = {
        command: excerpt(report) if command == CHOOSE else output_of(command) for command in blocks(readme)
    }
    README.write_text(with_blocks(readme, outputs), encoding="utf-8")


if __name__ == "__main__":
    main()
