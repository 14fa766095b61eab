"""Whole GPT-2 models: transformers' own construction and initialization beside ours; prints Markdown.

    python benchmarks/whole_models.py gpt2       # 124 M parameters
    python benchmarks/whole_models.py gpt2-xl    # 1.56 B, float32: 6.2 GB, about two minutes

The models are built from their published sizes; nothing is downloaded. Also two sections of
`benchmarks/engine.py`.
"""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Callable
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.initialization import no_init_weights

import initwise
from engine_tools import Run, available, load, machine, processors, seconds, table, use_threads
from initwise.core.plan import Plan
from initwise.frameworks.initialize import plan_for
from initwise.frameworks.proof import read
from initwise.frameworks.protocol import adapter_for
from initwise.random import fill_arrays

SIZES = {
    "gpt2": GPT2Config(n_embd=768, n_layer=12, n_head=12),
    "gpt2-xl": GPT2Config(n_embd=1600, n_layer=48, n_head=25),
}
GIB = {"gpt2": 2.0, "gpt2-xl": 9.0}
"""Free memory without which a size is not tried."""


def gpt2(quick: bool) -> None:
    """124 M parameters."""
    _model("gpt2", 1 if quick else 5)


def gpt2_xl(quick: bool) -> None:
    """1.56 B parameters."""
    _model("gpt2-xl", 1)


def _model(name: str, repeats: int) -> None:
    use_threads(min(2, processors()))
    if available() < GIB[name]:
        print(f"## {name}: left out, {available():.0f} GiB free of the {GIB[name]:.0f} it takes\n")
        return
    built = _building(name, repeats)
    model = _constructed(name)
    count = sum(tensor.numel() for tensor in model.parameters())
    rows = built | _filling(model, repeats)
    print(f"## {name}: {count:,} parameters, float32, {min(2, processors())} threads, median of {repeats}\n")
    _told(rows, count)
    if repeats > 1:
        print(f"Std of each matrix: ours and transformers' differ by at most {_apart(model):.1%}.\n")
    parts = _parts(model, repeats)
    print(f"### {name}: where `init_`'s time goes\n")
    _told(parts, count)


def _told(taken: dict[str, float | str], count: int) -> None:
    rows = [
        (name, f"{t:.3f}", f"{count / t / 1e9:.3f}") if isinstance(t, float) else (name, t, "–")
        for name, t in taken.items()
    ]
    table(("step", "seconds", "G/s"), rows)


# construction --------------------------------------------------------------------------------------


def _constructed(name: str) -> Any:
    return GPT2LMHeadModel(SIZES[name])


def _unset(name: str) -> Any:
    with no_init_weights():
        model = GPT2LMHeadModel(SIZES[name])
    model.tie_weights()  # which the construction leaves to the initialization
    return model


def _meta(name: str) -> Any:
    with torch.device("meta"):
        model = GPT2LMHeadModel(SIZES[name])
    model.to_empty(device="cpu")
    model.tie_weights()
    return model


def _building(name: str, repeats: int) -> dict[str, float | str]:
    """From nothing to a model, each built model freed before the next is made."""
    _compile()

    def both() -> Any:
        model = _unset(name)
        initwise.init_(model, "gpt2")
        return model

    steps: dict[str, Run] = {
        "`GPT2LMHeadModel(config)`": lambda: _constructed(name),
        "the same under `no_init_weights()`": lambda: _unset(name),
        "… and then `initwise.init_`, on memory never touched": both,
        'the same on `torch.device("meta")`, then `to_empty`': lambda: _meta(name),
    }
    return _raced(steps, repeats)


def _compile() -> None:
    """Load code and our kernel for normals, so that no row pays for it."""
    tiny = GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=8, bos_token_id=None, eos_token_id=None)
    initwise.init_(GPT2LMHeadModel(tiny), "gpt2")


# a model that stands -------------------------------------------------------------------------------


def _filling(model: Any, repeats: int) -> dict[str, float | str]:
    plan = plan_for(model, "gpt2")
    return _raced(
        {
            "its own `_init_weights` over the built model": lambda: model.apply(model._init_weights),
            '`initwise.init_(model, "gpt2")`, all of it': lambda: initwise.init_(model, "gpt2"),
            "`initwise.random.fill_arrays` with its plan": lambda: _filled(model, plan),
            "`Tensor.fill_` of every parameter": lambda: _constant(model),
        },
        repeats,
    )


def _filled(model: Any, plan: Plan) -> None:
    tensors = dict(model.named_parameters())
    fill_arrays([(name, tensors[name].detach().numpy(), fill) for name, fill in plan.fills])


def _constant(model: Any) -> None:
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.fill_(1.0)


def _raced(steps: dict[str, Run], repeats: int) -> dict[str, float | str]:
    """Median seconds, interleaved, with a run before that is not counted if there are several.

    A step that raises gives its error instead: one row's failure must not lose the others.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    failed: dict[str, float | str] = {}
    for round_ in range(repeats + (repeats > 1)):
        for name in [step for step in steps if step not in failed]:
            try:
                taken = seconds(steps[name])
            except Exception as error:
                failed[name] = f"failed: {type(error).__name__}: {error}"
                continue
            gc.collect()
            if round_ or repeats == 1:
                times[name].append(taken)
    return {name: failed.get(name) or statistics.median(times[name]) for name in steps}


def _apart(model: Any) -> float:
    """The largest relative difference between the stds of ours and of transformers' own, over matrices."""

    def spreads() -> dict[str, float]:
        return {n: float(t.detach().std()) for n, t in model.named_parameters() if t.ndim == 2}

    model.apply(model._init_weights)
    theirs = spreads()
    initwise.init_(model, "gpt2")
    ours = spreads()
    return max(abs(ours[name] / theirs[name] - 1) for name in theirs)


# what init_ does beside filling --------------------------------------------------------------------


def _parts(model: Any, repeats: int) -> dict[str, float | str]:
    """init_'s steps, each alone, as `frameworks/initialize.py` takes them one after another."""
    adapter, plan = adapter_for(model), plan_for(model, "gpt2")
    infos = [info for info in adapter.parameters(model) if info.name in plan]
    pairs = tuple((info, plan[info.name]) for info in infos)
    steps: dict[str, Callable[[], object]] = {
        "read the model: `adapter.parameters`": lambda: adapter.parameters(model),
        "the same and make the plan: `plan_for`": lambda: plan_for(model, "gpt2"),
        "check that the fills fit: `adapter.check`": lambda: adapter.check(model, pairs, seed=0),
        "fill: `adapter.write` of each": lambda: [adapter.write(model, *p, seed=0) for p in pairs],
        "read back mean, std and SHA-256: `proof.read`": lambda: read(adapter, model, infos),
    }
    return _raced(steps, repeats)


def main() -> None:
    """One size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=SIZES)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    print(f"{machine()} Load average {load()}.\n")
    _model(options.name, options.repeats)


if __name__ == "__main__":
    main()
