"""Write what docs and README have from the code itself: `make readme`.

- docs/schemes.md, docs/recipes.md and docs/names.md, from the registries, their flavors and the public names;
- docs/reference/ and docs/glossary.md, by reference.py;
- in README.md and docs/racing.md, each block between `<!-- output of: COMMAND -->` and `<!-- end -->`;
- docs/choose.txt and docs/images/choose.svg, from one run of `initwise choose`.

tests/docs holds the first two and the deterministic blocks to what the code says today.
"""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import initwise
from initwise.activations import activations
from initwise.choose.candidates import CANDIDATES
from initwise.core.counts import COMPATS
from initwise.core.errors import FillError
from initwise.core.fill import Fill
from initwise.core.layout import Fans, Layout, fans
from initwise.frameworks.layouts import layouts
from initwise.problems import problems
from initwise.recipes import PARTS, RecipeRow, recipe, recipes
from initwise.recipes.laws import KEPT
from initwise.schemes import Flavor, Scheme, SchemeRow, scheme, schemes

sys.path.insert(0, str(Path(__file__).resolve().parent))  # its neighbours, also where a test loads it
import reference
from tables import anchor, made, table

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- output of: (?P<command>.+?) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)
RACING = ROOT / "docs" / "racing.md"
CHOOSE = "initwise choose"
MADE = made("build.py")


def schemes_page() -> str:
    """docs/schemes.md: every row of every registry in one line."""
    parts = [
        "# Schemes, activations, recipes",
        MADE
        + "What there is, a line each. A name leads to its entry: options, when to use it, sources, numbers.",
        "## Schemes",
        table(
            ("Name", "What it is", "Law"),
            ((_linked(row, "schemes"), row.summary, f"`{row.formula}`") for row in schemes()),
        ),
        "## Activations",
        table(
            ("Name", "Function", "Gain at q = 1"),
            (
                (_linked(row, "activations"), f"`{row.formula}`", f"{initwise.gain(row.name):.6g}")
                for row in activations()
            ),
        ),
        "## Recipes",
        table(("Name", "What it is"), ((_linked(row, "recipes"), row.summary) for row in recipes())),
        "## Layouts",
        "How each kind of layer stores its parameters; a package adds its own (see CONTRIBUTING.md).",
        table(
            ("Name", "Layers", "How they are stored"),
            (
                (_named(row), ", ".join(f"`{layer}`" for layer in row.layers), row.summary)
                for row in layouts()
            ),
        ),
        "## Candidates of `choose`",
        table(("Name", "What it does"), ((_named(row), row.says) for row in CANDIDATES)),
        "## Bundled problems",
        table(
            ("Name", "What it is", "Network"),
            ((_named(row), row.summary, row.architecture) for row in problems()),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def recipes_page() -> str:
    """docs/recipes.md: every recipe's rules, flavor by flavor, and the vocabulary of parts."""
    intro = (
        "A recipe is a table from parts of a network to laws; `recipe(NAME, flavor=...)` chooses among "
        "published "
        'variants, and `assign="part=glob"` names parts that a model\'s names do not tell. Biases are 0 '
        "and norms "
        "start as themselves unless a rule says otherwise. A glob that matches nothing is an error, unless "
        '`unmatched="allow"`. Trees of arrays are read under the names Flax, T5X, Keras or Haiku give them. '
        "What is compared with transformers' own "
        "initialization, and how it comes out: [recipes-agreement.md](recipes-agreement.md)."
    )
    parts = table(("Part", "What it is"), ((f"`{name}`", what) for name, what in PARTS.items()))
    return (
        "\n\n".join(
            ["# Recipes", MADE + intro, *map(_recipe, recipes()), "## The vocabulary of parts", parts]
        )
        + "\n"
    )


def _recipe(row: RecipeRow) -> str:
    said = [
        f"{row.summary} *{row.citation}* ({row.evidence}).",
        *(f"Differs: {text}" for text in row.differences),
    ]
    said += [f"Not said: {gap}" for gap in row.gaps]
    tables = [_rules(row, flavor) for flavor in row.flavors or ("",)]
    return "\n\n".join([f"## {_named(row)}", "\n".join(f"- {text}" for text in said), *tables])


def _rules(row: RecipeRow, flavor: str) -> str:
    chosen = recipe(row.name, **({"flavor": flavor} if flavor else {}))
    rows = ((f"`{rule.matching}`", rule.reason if rule.law is KEPT else rule.doing) for rule in chosen.steps)
    return table((f"flavor {flavor}" if flavor else "for", "law"), rows)


def names_page() -> str:
    """docs/names.md: every public name with the first sentence of its docstring; where names disagree."""
    rows = (
        (f"`{name}`", _first_sentence(getattr(initwise, name)))
        for name in initwise.__all__
        if name != "__version__"
    )
    intro = (
        "The public names of `initwise`; `help(initwise.NAME)` tells arguments, units, errors and sources."
    )
    parts = [
        "# Public names",
        MADE + intro + "\n`__version__` is the version.",
        table(("Name", "What it is"), rows),
        "## Where names of schemes disagree",
        "`scheme(NAME)` is the law of the first line, with true fans; `scheme(NAME, flavor=…)` is that "
        "framework's law of\nthis name, its own count of the fans included. Numbers for three weights; "
        "a dash if it has no default.\n`initwise explain NAME` tells how well each is known.",
        table(("Scheme", "Flavor", "As written there", *_WEIGHTS), _flavor_rows()),
        "## Fans as frameworks count them",
        "fan_in, fan_out by `fans(shape, layout, compat=…)`, and the true ones. [Why](notes/fans.md).",
        table(("Layer", "Shape", "Layout", "True", *COMPATS), _fan_rows()),
    ]
    return "\n\n".join(parts) + "\n"


_WEIGHTS = {
    "Linear 64 → 256": fans((256, 64), "oi"),
    "depthwise 96, 7 × 7": fans((96, 1, 7, 7), "oihw", groups=96),
    "transposed 64 → 32, 4 × 4, stride 2": fans((64, 32, 4, 4), "iohw", stride=2),
}


def _flavor_rows() -> Iterable[tuple[str, ...]]:
    """A line for the law stated, then one for every set of flavors that draw the same."""
    for row in schemes():
        if not row.flavors:
            continue
        yield (f"`{row.name}`", "", row.formula, *_flavor_numbers(row, None))
        alike: dict[tuple[str, ...], list[Flavor]] = {}
        for flavor in row.flavors:
            alike.setdefault(_flavor_numbers(row, flavor), []).append(flavor)
        for numbers, flavors in alike.items():
            names = ", ".join(f"`{flavor.name}`" for flavor in flavors)
            yield (f"`{row.name}`", names, "; ".join(f"`{flavor.spelled}`" for flavor in flavors), *numbers)


def _flavor_numbers(row: SchemeRow, flavor: Flavor | None) -> tuple[str, ...]:
    if flavor and flavor.required:
        return ("–",) * len(_WEIGHTS)
    made = scheme(row.name, flavor=flavor.name) if flavor else scheme(row.name)
    return tuple(_cell(made, weight) for weight in _WEIGHTS.values())


def _cell(made: Scheme, weight: Fans) -> str:
    try:
        return _numbers(made.fill(weight))
    except FillError:
        return "refused"


def _numbers(fill: Fill) -> str:
    if fill.law == "constant":
        return fill.formula
    spread = f"mean {fill.mean:.4g}, " if fill.mean else ""
    bound = f", within ±{fill.high:.4g}" if fill.low == -fill.high and math.isfinite(fill.high) else ""
    return f"{spread}std {fill.std:.4g}{bound}"


_QKV = (("q", 768), ("k", 768), ("v", 768))
_LAYERS: tuple[tuple[str, tuple[int, ...], Layout], ...] = (
    ("Linear", (256, 64), Layout("oi")),
    ("transformers' Conv1D", (768, 2304), Layout("io")),
    ("Conv2d", (128, 32, 3, 3), Layout("oihw")),
    ("Conv2d, strided", (128, 32, 4, 4), Layout("oihw", stride=(2, 2))),
    ("Conv2d, grouped", (128, 8, 3, 3), Layout("oihw", groups=4)),
    ("Conv2d, depthwise", (96, 1, 7, 7), Layout("oihw", groups=96)),
    ("Keras DepthwiseConv2D", (7, 7, 96, 1), Layout("hwbo")),
    ("ConvTranspose2d", (64, 32, 4, 4), Layout("iohw", stride=(2, 2))),
    ("query, key, value in one", (2304, 768), Layout("oi", parts=_QKV)),
    ("experts", (8, 256, 64), Layout("boi")),
    ("DenseGeneral to heads", (768, 12, 64), Layout("ioo")),
    ("Bilinear", (10, 4, 6), Layout("oii")),
    ("Embedding", (50257, 768), Layout("vo")),
)


def _fan_rows() -> Iterable[tuple[str, ...]]:
    for name, shape, layout in _LAYERS:
        counts = (fans(shape, layout, compat=compat) for compat in (None, *COMPATS))
        cells = (f"{found.fan_in:g}, {found.fan_out:g}" for found in counts)
        yield (name, " × ".join(map(str, shape)), str(layout).replace('"', ""), *cells)


def _named(row: object) -> str:
    return f"`{getattr(row, 'name', '')}`" + _also(row)


def _linked(row: object, page: str) -> str:
    name = getattr(row, "name", "")
    return f"[{name}](reference/{page}.md#{anchor(name)})" + _also(row)


def _also(row: object) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in getattr(row, "aliases", ()))
    return f" = {aliases}" if aliases else ""


def _first_sentence(thing: object) -> str:
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    sentence = text.split(". ")[0].rstrip(".")
    return sentence if sentence.endswith("?") else sentence + "."


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


def without_trainings(report: str) -> str:
    """Of a race's report: the answer and the ranking."""
    return report.split("\n\nTrainings\n")[0].strip()


def write_racing() -> None:
    """What the page on racing shows: `python docs/build.py racing`."""
    page = RACING.read_text(encoding="utf-8")
    outputs = {command: without_trainings(output_of(command)) for command in blocks(page)}
    RACING.write_text(with_blocks(page, outputs), encoding="utf-8")


def picture(report: str) -> str:
    """The report as an SVG of a terminal; no fonts or other things from elsewhere."""
    import io

    from rich.console import Console

    from initwise.cli.output import coloured

    console = Console(width=102, record=True, file=io.StringIO(), color_system="truecolor")
    console.print(coloured(report + "\n"))  # the last line's underscores would be cut off
    svg = console.export_svg(title=CHOOSE, unique_id="initwise")
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def write_rows() -> None:
    """All pages that follow from rows: `python docs/build.py rows`."""
    made = {"schemes.md": schemes_page(), "recipes.md": recipes_page(), "names.md": names_page()}
    for path, page in {**made, **reference.pages()}.items():
        (ROOT / "docs" / path).write_text(page, encoding="utf-8")


def main() -> None:
    write_rows()
    report = output_of(CHOOSE)
    (ROOT / "docs" / "choose.txt").write_text(report, encoding="utf-8")
    (ROOT / "docs" / "images" / "choose.svg").write_text(picture(excerpt(report)), encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    outputs = {
        command: excerpt(report) if command == CHOOSE else output_of(command) for command in blocks(readme)
    }
    README.write_text(with_blocks(readme, outputs), encoding="utf-8")
    write_racing()


if __name__ == "__main__":
    {"rows": write_rows, "racing": write_racing}.get("".join(sys.argv[1:]), main)()
