"""Choose the weights for a model, fill them, see what was done. Two lines do the work."""

import torch
from torch import nn

import initwise

model = nn.Sequential(
    *(layer for _ in range(8) for layer in (nn.Linear(64, 64), nn.Tanh())), nn.Linear(64, 10)
)
example = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))  # better: a batch of your data

advice = initwise.choose(model, example)
ledger = initwise.init_(model, advice, seed=0)

print(advice)
print(ledger)
