"""Where theory leaves several schemes: a short training race on your own data settles it."""

import torch
from torch import nn

import initwise


def make_model() -> nn.Module:
    hidden = [layer for _ in range(5) for layer in (nn.Linear(32, 32), nn.ReLU())]
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), *hidden, nn.Linear(32, 2))


def batches():
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):  # a DataLoader fits here as it is
        inputs = torch.randn(32, 8, generator=generator)
        yield inputs, (inputs.norm(dim=1) > 2.7).long()


def problem() -> initwise.Problem:
    """Also a target: initwise choose examples/race_on_your_data.py:problem --race"""
    return initwise.Problem(make_model, batches, nn.CrossEntropyLoss(), steps=60, name="near or far")


def main() -> None:
    race = initwise.race(problem(), candidates=("he_normal", "xavier_normal", "truncated_normal"), budget=0.5)
    print(race)


if __name__ == "__main__":
    main()
