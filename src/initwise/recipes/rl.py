"""Reinforcement learning: PPO's orthogonal heads, DDPG's tiny ones."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import ZERO, by_role, constant, orthogonal, uniform
from .rules import Rule

Flavor = Annotated[Literal["cleanrl", "sb3", "baselines"], "CleanRL, Stable-Baselines3 or OpenAI's baselines"]
LogStd = Annotated[float, "logarithm of the policy's std at the start"]
Bound = Annotated[float, "bound of the last layers; 3e-4 from pixels"]

POLICY = (
    "actor.*",
    "*.actor.*",
    "*actor_mean*",
    "*action_net.*",
    "pi.*",
    "*.pi.*",
    "*policy_head*",
    "*actor_head*",
)
VALUE = ("critic.*", "*.critic.*", "*value_net.[wb]*", "vf.*", "*.vf.*", "*value_head*", "*critic_head*")
ENDS = ("last", "only")
LOG_STD = ("*log_std*", "*logstd*")
RECURRENT = ("weight", "recurrent")


def rl_ppo(*, flavor: Flavor = "cleanrl", log_std: LogStd = 0.0) -> tuple[Rule, ...]:
    """All three agree but in how orthogonal matrices are drawn."""
    return (
        Rule(orthogonal(math.sqrt(2))),
        Rule(orthogonal(0.01), names=POLICY, positions=ENDS, roles=("weight",), needed="any"),
        Rule(orthogonal(1.0), names=VALUE, positions=ENDS, roles=("weight",), needed="any"),
        Rule(constant(log_std), names=LOG_STD, roles=("bare", "token")),
        Rule(orthogonal(1.0), layers=("LSTM", "GRU"), roles=RECURRENT),
    )


def ddpg(*, bound: Bound = 3e-3) -> tuple[Rule, ...]:
    """Last layers of actor and critic U(±0.003), all others as torch's Linear."""
    return (
        Rule(by_role("torch_default"), roles=("weight", "bias")),
        Rule(uniform(bound), positions=("last",), roles=("weight",), needed="any"),
        Rule(uniform(bound), positions=("last",), roles=("bias",)),
    )


def rl_default() -> tuple[Rule, ...]:
    """DQN and SAC in CleanRL and Stable-Baselines3: torch's defaults."""
    return (
        Rule(by_role("torch_default"), roles=("weight", "bias"), needed="any"),
        Rule(ZERO, names=LOG_STD, roles=("bare",)),
    )


registry.add(
    RecipeRow(
        name="rl-ppo",
        aliases=("ppo", "a2c", "rl_ppo"),
        steps=rl_ppo,
        summary="Every layer orthogonal × √2, the policy's last × 0.01, the value's last × 1, biases 0, "
        "log std 0, LSTMs orthogonal × 1.",
        citation="vwxyzjn/cleanrl, ppo*.py; stable_baselines3/common/policies.py; openai/baselines",
        differences=("baselines' orthogonal is made by SVD without fixing signs.",),
        avoid="a small value head: 0.01 is for the policy alone.",
        suits=("rl", "mlp", "cnn", "lstm", "tanh", "relu", "shallow", "isometry", "head"),
    )
)
registry.add(
    RecipeRow(
        name="rl-ddpg",
        aliases=("ddpg", "td3"),
        steps=ddpg,
        summary="Last layers U(±0.003), others U(±1/√fan_in), biases too.",
        citation="openai/baselines, baselines/ddpg/models.py; Lillicrap et al. 2015, arXiv:1509.02971",
        differences=("The paper uses 3e-4 from pixels. TD3's own code keeps torch's default in all layers.",),
        avoid="critics whose targets are large: the last layer starts near 0.",
        suits=("rl", "mlp", "relu", "shallow", "bounded", "head"),
    )
)
registry.add(
    RecipeRow(
        name="rl-dqn",
        aliases=("dqn", "sac", "rl-sac"),
        steps=rl_default,
        summary="torch's defaults, weights and biases U(±1/√fan_in).",
        citation="vwxyzjn/cleanrl, dqn.py, sac_continuous_action.py; stable_baselines3",
        evidence="recalled",
        differences=("The first SAC code in TensorFlow draws Xavier uniform.",),
        avoid="deep networks: torch's default shrinks ReLU signals.",
        suits=("rl", "cnn", "mlp", "relu", "shallow", "torch"),
        unsuited=("very deep",),
    )
)
