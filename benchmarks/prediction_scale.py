"""How long prediction takes, and how much memory, for networks that no machine at hand could hold.

    python benchmarks/prediction_scale.py                       # all, one after the other
    python benchmarks/prediction_scale.py --only "Llama 70B"
    python benchmarks/prediction_scale.py --write               # docs/benchmarks/prediction-scale.md

Each network is predicted from its constructor in a process of its own, on one thread. Needs transformers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks" / "prediction-scale.md"
LENGTH = 2048

HEAD = """# How prediction scales

<!-- written by: benchmarks/prediction_scale.py --write -->

`check(constructor, example, mode="predict")`, forward and backward, on one thread; no weight is ever
allocated. Seconds are CPU time (wall clock in brackets) without imports; memory is the whole process's
largest, of which imports of torch and transformers are the number in brackets. {machine}, {date}; the machine
is shared.

| network | parameters | example | operations | rows | not predicted | seconds | MiB |
|---|---|---|---|---|---|---|---|
"""


def llama(width: int, inner: int, layers: int, heads: int) -> Callable[[], Any]:
    def build() -> Any:
        from transformers import LlamaConfig, LlamaForCausalLM

        config = LlamaConfig(
            hidden_size=width,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=8,
            vocab_size=128256,
            max_position_embeddings=LENGTH,
            use_cache=False,
        )
        return LlamaForCausalLM(config)

    return build


def mixtral() -> Any:
    """Eight experts of seven billion, as published: the configuration's defaults."""
    from transformers import MixtralConfig, MixtralForCausalLM

    return MixtralForCausalLM(MixtralConfig(use_cache=False))


def plain_chain() -> Any:
    """1,000 layers of a plain tanh network."""
    from torch import nn

    layers = [layer for _ in range(1000) for layer in (nn.Linear(512, 512), nn.Tanh())]
    return nn.Sequential(*layers)


def residual_chain() -> Any:
    """1,000 residual blocks with a norm before."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(512)
            self.rise, self.fall = nn.Linear(512, 2048), nn.Linear(2048, 512)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.fall(nn.functional.gelu(self.rise(self.norm(x))))

    return nn.Sequential(*[Block() for _ in range(1000)])


TOKENS = f"i64[1,{LENGTH}]<1000"
NETWORKS: dict[str, tuple[Callable[[], Any], str]] = {
    "Llama 8B": (llama(4096, 14336, 32, 32), TOKENS),
    "Llama 70B": (llama(8192, 28672, 80, 64), TOKENS),
    "Llama 405B": (llama(16384, 53248, 126, 128), TOKENS),
    "Mixtral 8x7B": (mixtral, TOKENS),
    "tanh, 1,000 layers": (plain_chain, "f32[32,512]"),
    "residual GELU, 1,000 blocks": (residual_chain, "f32[32,512]"),
}


def peak() -> float:
    """The process's largest memory so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(name: str) -> None:
    """Predict one network and print what it took as JSON."""
    import torch
    import torch._dynamo  # FakeTensorMode loads it, once per process

    torch.set_num_threads(1)
    build, example = NETWORKS[name]
    if build is not plain_chain and build is not residual_chain:
        import transformers
        from transformers import LlamaForCausalLM, MixtralForCausalLM  # noqa: F401

        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    import initwise
    from initwise.predict import interpreter

    made: list[interpreter.Interpreter] = []
    plain = interpreter.Interpreter.__init__

    def noted(self: interpreter.Interpreter) -> None:
        plain(self)
        made.append(self)

    interpreter.Interpreter.__init__ = noted  # type: ignore[method-assign]
    sizes: list[int] = []

    def counted() -> Any:
        model = build()
        sizes.append(sum(parameter.numel() for parameter in model.parameters()))
        return model

    before, started, busy = peak(), time.perf_counter(), time.process_time()
    signals = initwise.check(counted, example, mode="predict")
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - started,
                "busy": time.process_time() - busy,
                "memory": peak(),
                "imports": before,
                "parameters": sizes[0],
                "operations": sum(made[0].operations.values()),
                "rows": len(signals.layers),
                "missing": sum(layer.verdict == "unpredicted" for layer in signals.layers),
            }
        )
    )


def measured(name: str) -> dict[str, float]:
    """What the child says."""
    command = [sys.executable, __file__, "--child", name]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def line(name: str, found: dict[str, float]) -> str:
    """A row of the table."""
    size = found["parameters"]
    text = f"{size / 1e9:,.1f} B" if size >= 1e9 else f"{size / 1e6:,.1f} M"
    return (
        f"| {name} | {text} | `{NETWORKS[name][1]}` | {found['operations']:,} | {found['rows']:,} | "
        f"{found['missing']:,} | {found['busy']:.1f} ({found['seconds']:.1f}) | "
        f"{found['memory']:,.0f} ({found['imports']:,.0f}) |"
    )


def main() -> None:
    """Read the command line."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    reader.add_argument("--only", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    reader.add_argument("--write", action="store_true", help="the table into docs/benchmarks")
    reader.add_argument("--child", choices=list(NETWORKS), help=argparse.SUPPRESS)
    given = reader.parse_args()
    if given.child:
        child(given.child)
        return
    rows = []
    for name in given.only:
        rows.append(line(name, measured(name)))
        print(rows[-1], flush=True)
    if given.write:
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        head = HEAD.format(machine=machine, date=time.strftime("%Y-%m-%d"))
        PAGE.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
