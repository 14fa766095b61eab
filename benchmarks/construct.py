"""torch.nn.init beside its drop-in, call by call, and how long models take to construct.

    python benchmarks/construct.py            # prints Markdown
    python benchmarks/construct.py --quick

Four ways to construct: as torch does, `drop_in` (the same laws by this engine), `no_init`, and on the meta
device followed by `to_empty`. Needs transformers for the last two models; they are left out without it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from engine_tools import Run, many, processors, race, table, use_threads
from initwise.torch import init

Arguments = tuple[Any, ...]
CALLS: dict[str, Arguments] = {
    "uniform_": (),
    "normal_": (0.0, 0.02),
    "trunc_normal_": (0.0, 0.02, -0.04, 0.04),
    "xavier_uniform_": (),
    "kaiming_normal_": (),
    "orthogonal_": (),
    "sparse_": (0.1,),
    "eye_": (),
    "zeros_": (),
}


def calls(shape: tuple[int, ...], names: list[str], count: int, repeats: int) -> None:
    """Microseconds a call, torch's and ours, on a float32 tensor of this shape."""
    print(f"\n## One call, {' × '.join(map(str, shape))}, float32: µs\n")
    rows = []
    for name in names:
        runs = {
            side: many(_call(getattr(module, name), torch.empty(shape), CALLS[name]), count)
            for side, module in (("torch", nn.init), ("initwise", init))
        }
        taken = {side: found / count * 1e6 for side, found in race(runs, repeats).items()}
        faster = taken["torch"] / taken["initwise"]
        rows.append((f"`{name}`", *(f"{taken[side]:.1f}" for side in runs), f"{faster:.1f}×"))
    table(("function", "torch.nn.init", "initwise.torch.init", "faster"), rows)


def _call(function: Callable[..., Any], tensor: torch.Tensor, arguments: Arguments) -> Run:
    return lambda: function(tensor, *arguments)


def _mlp() -> nn.Module:
    return nn.Sequential(*(nn.Linear(2048, 2048) for _ in range(24)))


def _transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True)
    return nn.Sequential(nn.Embedding(50_000, 768), nn.TransformerEncoder(layer, 12))


def _small_convolutions() -> nn.Module:
    return nn.Sequential(*(nn.Conv2d(32, 32, 3) for _ in range(200)))


def _gpt2() -> nn.Module:
    from transformers import AutoModelForCausalLM, GPT2Config

    model: nn.Module = AutoModelForCausalLM.from_config(GPT2Config())
    return model


def _llama() -> nn.Module:
    from transformers import AutoModelForCausalLM, LlamaConfig

    sizes = {
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 12,
        "num_attention_heads": 16,
    }
    model: nn.Module = AutoModelForCausalLM.from_config(LlamaConfig(**sizes))
    return model


MODELS = {
    "24 × Linear(2048, 2048)": _mlp,
    "200 × Conv2d(32, 32, 3)": _small_convolutions,
    "Embedding and TransformerEncoder, 12 × 768": _transformer,
    "transformers GPT-2, 12 × 768": _gpt2,
    "transformers Llama, 12 × 1024": _llama,
}


@contextlib.contextmanager
def _as_it_is() -> Iterator[None]:
    yield


def constructions(repeats: int) -> None:
    """Seconds to construct each model, as torch does it and within `drop_in` and `no_init`."""
    print("\n## Constructing: seconds\n")
    rows = []
    for name, make in MODELS.items():
        if "transformers" in name and importlib.util.find_spec("transformers") is None:
            continue
        runs = {
            "torch": _within(_as_it_is, make),
            "drop_in": _within(init.drop_in, make),
            "no_init": _within(init.no_init, make),
            "meta": lambda make=make: _meta(make),
        }
        taken = race(runs, repeats)
        size = sum(parameter.numel() for parameter in _meta(make).parameters()) / 1e6
        rows.append(
            (
                name,
                f"{size:.1f}",
                *(f"{taken[how]:.3f}" for how in runs),
                *(f"{taken['torch'] / taken[how]:.1f}×" for how in ("drop_in", "no_init")),
            )
        )
    head = ("model", "million", "torch", "`drop_in`", "`no_init`", "meta, `to_empty`", "`drop_in` faster")
    table((*head, "`no_init` faster"), rows)


def _within(block: Callable[[], Any], make: Callable[[], nn.Module]) -> Run:
    def run() -> nn.Module:
        with block():
            return make()

    return run


def _meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        model = make()
    return model.to_empty(device="cpu")


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    use_threads(min(2, processors()))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads of torch")
    short = [name for name in CALLS if name not in ("orthogonal_", "sparse_", "eye_", "xavier_uniform_")]
    calls((768,), [n for n in short if n != "kaiming_normal_"], 50 if quick else 500, 5 if quick else 20)
    calls((24, 32), list(CALLS), 10 if quick else 50, 3 if quick else 10)
    calls((1024, 1024), [n for n in CALLS if n != "sparse_"], 1, 3 if quick else 10)
    constructions(1 if quick else 5)


if __name__ == "__main__":
    main()
