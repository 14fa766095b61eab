"""What `import initwise` costs, beside NumPy alone: CPU seconds of fresh processes, medians.

python benchmarks/import_time.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

CASES = {
    "python": "pass",
    "import numpy": "import numpy",
    "import initwise": "import initwise",
    "… and a scheme": "import initwise; initwise.scheme('he_normal')",
    "… and every public name": "import initwise; [getattr(initwise, name) for name in initwise.__all__]",
}


def cpu_seconds(code: str) -> float:
    """User and system time of one fresh interpreter running `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(repeats: int = 9) -> None:
    """Print one row per case; the cases take turns, so that a slow moment hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(repeats):
        for name, code in CASES.items():
            times[name].append(cpu_seconds(code))
    print(f"| process ({repeats} runs) | CPU seconds, median |\n| --- | --- |")
    for name, seconds in times.items():
        print(f"| {name} | {statistics.median(seconds):.2f} |")


if __name__ == "__main__":
    main()
