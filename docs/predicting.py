"""The numbers of docs/predicting.md: `python docs/predicting.py` (needs transformers; about 2 minutes).

T5 1.1 from its published configuration, predicted without weights, and measured on real ones.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from transformers import T5Config, T5ForConditionalGeneration

import initwise

VOCABULARY = 32128
EXAMPLE = {"input_ids": f"i64[2,16]<{VOCABULARY}", "labels": f"i64[2,16]<{VOCABULARY}"}


def t5(d_model: int = 512, d_ff: int = 1024, layers: int = 8, heads: int = 6) -> Any:
    """google/t5-v1_1-small, as its config.json says; or another width."""
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=d_model,
        d_ff=d_ff,
        num_layers=layers,
        num_heads=heads,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
    )
    model: Any = T5ForConditionalGeneration(config)
    return model.eval()


def narrow_or_wide(width: int) -> Any:
    """Two layers of any width: what changes with it."""
    return t5(width, 2 * width, layers=2, heads=width // 64)


def told(what: str, signals: initwise.Signals) -> None:
    """Logits and loss, in a line."""
    head = next(layer for layer in signals.layers if layer.name == "lm_head")
    print(f"{what:<42} logits rms {head.forward_rms:6.2f}   loss {signals.loss:6.1f}")


def main() -> None:
    """Predict, compare widths, measure, mend."""
    print(f"{'a model that knows nothing':<42} {'':17}   loss {math.log(VOCABULARY):6.1f}")
    predicted = initwise.check(t5, EXAMPLE, mode="predict", loss="own")
    told("t5-v1_1-small, predicted from its config", predicted)
    for growth in predicted.trend().growths:
        first, last = growth.first, growth.last
        print(f"  {growth.direction:<8} {growth.name:<23} {growth.law:<7} {first:.3g} → {last:.3g}")
    widths = initwise.check(narrow_or_wide, EXAMPLE, mode="predict", widths=[128, 256, 512])
    head = widths.layers[-1]
    law = f"{head.name} goes as width^{head.forward:.2f}: {head.verdict}"
    print(f"{'widths 128, 256, 512, predicted':<42} {law}")
    torch.manual_seed(0)
    model = t5()
    measured = initwise.check(model, EXAMPLE, mode="measure", loss="own")
    told("t5-v1_1-small, measured on real weights", measured)
    print(f"  lm_head and embedding are one tensor: {model.lm_head.weight is model.shared.weight}")
    model.config.scale_decoder_outputs = True
    mended = initwise.check(model, EXAMPLE, mode="measure", loss="own")
    told("with the decoder's output over √d_model", mended)


if __name__ == "__main__":
    main()
