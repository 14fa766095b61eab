"""A test that fails when somebody breaks a model's initialization, and says how."""

import torch
from torch import nn

import initwise


def deep_sigmoid(layers: int) -> nn.Sequential:
    return nn.Sequential(
        *(layer for _ in range(layers) for layer in (nn.Linear(64, 64), nn.Sigmoid())), nn.Linear(64, 10)
    )


def test_signal_and_gradient_get_through() -> None:
    initwise.check(deep_sigmoid(2), "f32[64,64]").assert_healthy()


def main() -> None:
    torch.manual_seed(0)
    test_signal_and_gradient_get_through()
    print("2 layers: healthy")
    try:
        initwise.check(deep_sigmoid(12), "f32[64,64]").assert_healthy()
    except AssertionError as error:
        print(f"12 layers: {error}")


if __name__ == "__main__":
    main()
