"""Mean regret of every scheme by family of network: what `choose.candidates` begins its ranking from.

python benchmarks/regret.py --set development; python benchmarks/regret.py --set wide    # kept in build/
python benchmarks/regret_priors.py
"""

from __future__ import annotations

import importlib
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import mean

from initwise.choose.candidates import FAMILIES, family
from initwise.choose.planners import study
from regret import ROOT, SEEN, SETS, Kept, made
from regret_problem import Problem
from regret_table import WORST, Rows, regret

TUNED = ("development", "wide")


def by_family() -> Mapping[str, Mapping[str, Sequence[float]]]:
    """Scheme → family → regrets."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name in TUNED:
        rows: Rows = Kept(ROOT / "build" / f"regret-{name}.jsonl").rows
        problems: tuple[Problem, ...] = importlib.import_module(SETS[name]).PROBLEMS
        for problem in problems:
            losses = {scheme: row.best for (of, scheme), row in rows.items() if of == problem.name}
            if WORST not in losses:
                continue
            kind = family(study(made(problem, 0), problem.data().inputs[:SEEN]).structure)
            for scheme, loss in losses.items():
                found[scheme][kind].append(regret(loss, min(losses.values()), losses[WORST]))
    return found


def main() -> None:
    """Print the table."""
    warnings.filterwarnings("ignore", category=UserWarning)
    print(f"{'':24s}" + "".join(f"{kind:>16s}" for kind in FAMILIES))
    for scheme, kinds in by_family().items():
        cells = [f"{mean(kinds[k]):.2f} of {len(kinds[k])}" if k in kinds else "–" for k in FAMILIES]
        print(f"{scheme:24s}" + "".join(f"{cell:>16s}" for cell in cells))


if __name__ == "__main__":
    main()
