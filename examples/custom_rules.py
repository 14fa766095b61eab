"""Your own rule per name: a scheme for all, exceptions by glob, the rest told in the ledger."""

from torch import nn

import initwise

model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.GELU(), nn.Flatten(), nn.Linear(576, 10))

gelu = initwise.gain("gelu")
ledger = initwise.init_(
    model,
    initwise.scheme("variance_scaling", scale=gelu**2),
    rules={
        "3.weight": initwise.Fill.normal(0.0, 0.01, reason="a small head"),
        "*.bias": "zeros",
        "0.bias": "keep",
    },
)
print(ledger)

# the same as data: print it, store it, compare it, read it back
plan = initwise.Plan("mine", tuple((entry.name, entry.fill) for entry in ledger.filled))
assert initwise.Plan.from_json(plan.to_json()) == plan
