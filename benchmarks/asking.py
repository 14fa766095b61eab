"""What asking costs: `choose` without a race, beside one training step of the same model.

    python benchmarks/asking.py                       # all, one after the other
    python benchmarks/asking.py --only "GPT-2 small"
    python benchmarks/asking.py --write               # docs/benchmarks/asking.md

Every figure is of a process of its own, on one thread. A training step is Adam's: forward, mean square of
the result, backward, update; the second one is timed. Seconds are the process's CPU time, `choose` the first
call in its process, with whatever it loads. Memory is the largest of the whole process. GPT-2 and Llama
need transformers.
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
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks" / "asking.md"

HEAD = """# What asking costs

<!-- written by: benchmarks/asking.py --write -->

`choose(model, example)` without a race, beside one training step (Adam) of the same model on the same batch,
each in a process of its own, on one thread: CPU seconds, and the largest memory of the process. "allowed" is
three steps and a second; "steps" is what `choose` took beyond that second, in steps. Models without values
cannot be trained; 20 s is allowed. {machine}, {date}; the machine is shared.

| model | parameters | step, s | choose, s | allowed, s | steps | measured | step, MiB | choose, MiB |
|---|---|---|---|---|---|---|---|---|
"""


def mlp(depth: int, width: int = 64, batch: int = 64) -> Callable[[], tuple[Any, Any]]:
    def made() -> tuple[Any, Any]:
        import torch
        from torch import nn

        hidden = [layer for _ in range(depth - 1) for layer in (nn.Linear(width, width), nn.ReLU())]
        return nn.Sequential(*hidden, nn.Linear(width, 10)), torch.randn(batch, width)

    return made


def cnn() -> tuple[Any, Any]:
    import torch
    from torch import nn

    sizes = (3, 32, 64, 128)
    layers: list[Any] = []
    for before, after in pairwise(sizes):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 10)), torch.randn(32, 3, 32, 32)


def resnet() -> tuple[Any, Any]:
    import torch
    from torch import Tensor, nn

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.one, self.two = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
            self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x + self.norm2(self.two(torch.relu(self.norm1(self.one(x))))))

    stem = (nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
    blocks = [Block(32) for _ in range(9)]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
    return nn.Sequential(*stem, *blocks, *head), torch.randn(32, 3, 32, 32)


def gpt2(length: int = 128) -> tuple[Any, Any]:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(use_cache=False)), torch.randint(0, 50257, (8, length))


def llama8b() -> tuple[Any, Any]:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
        use_cache=False,
    )
    with torch.device("meta"):
        return LlamaForCausalLM(config), torch.randint(0, 128256, (1, 128), device="cpu")


MODELS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "MLP, 3 layers of 64": mlp(3),
    "MLP, 30 layers of 64": mlp(30),
    "MLP, 100 layers of 64": mlp(100),
    "MLP, 6 layers of 4,096": mlp(7, 4096),
    "CNN, 3 convolutions": cnn,
    "ResNet, 20 layers": resnet,
    "GPT-2 small, (8, 128) tokens": gpt2,
    "Llama 8B on the meta device": llama8b,
}


def stepped(model: Any, batch: Any) -> dict[str, Any]:
    """Seconds of the second training step."""
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
    seconds = 0.0
    for _ in range(2):
        began = time.process_time()
        optimizer.zero_grad()
        result = model(batch)
        getattr(result, "logits", result).square().mean().backward()
        optimizer.step()
        seconds = time.process_time() - began
    return {"seconds": seconds}


def asked(model: Any, batch: Any) -> dict[str, Any]:
    """Seconds of the first `choose`, and how many candidates it measured or predicted."""
    import initwise

    began = time.process_time()
    advice = initwise.choose(model, batch)
    seconds = time.process_time() - began
    looked = sum(candidate.verdict != "unmeasured" for candidate in advice.ranking)
    return {"seconds": seconds, "measured": looked, "of": len(advice.ranking), "chosen": advice.name}


JOBS = {"step": stepped, "choose": asked}


def child(name: str, job: str) -> None:
    """One job on one model, its figures as JSON on stdout."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, batch = MODELS[name]()
    found = JOBS[job](model, batch)
    found["parameters"] = sum(parameter.numel() for parameter in model.parameters())
    found["mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def measured(name: str, job: str) -> dict[str, Any]:
    """The figures of `child` in a process of its own."""
    command = [sys.executable, __file__, "--child", name, job]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(name: str) -> str:
    """One line of the table."""
    choose = measured(name, "choose")
    count = choose["parameters"]
    size = f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.3g} M"
    looked = f"{choose['measured']} of {choose['of']}"
    if name.endswith("meta device"):
        spent = f"{choose['seconds']:.1f}"
        return f"| {name} | {size} | – | {spent} | 20 | – | {looked} | – | {choose['mib']:,.0f} |"
    step = measured(name, "step")
    allowed = 3 * step["seconds"] + 1
    steps = max(0.0, choose["seconds"] - 1) / step["seconds"]
    return (
        f"| {name} | {size} | {step['seconds']:.3g} | {choose['seconds']:.3g} | {allowed:.3g} | {steps:.1f} "
        f"| {looked} | {step['mib']:,.0f} | {choose['mib']:,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="models whose name contains this")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    page = HEAD.format(machine=machine, date=datetime.now(UTC).date())
    print(page, end="")
    for name in MODELS:
        if options.only is None or options.only in name:
            line = row(name) + "\n"
            page += line
            print(line, end="", flush=True)
    if options.write and options.only is None:
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
