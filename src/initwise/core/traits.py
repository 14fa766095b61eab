"""Traits: the words in which a row says what it suits, and a user what they have.

A row declares `suits=("relu", "cnn", "without norm")`, its core first, and `unsuited=("tanh",)`; both are
names of `TRAITS`.
`initwise list --for TEXT` reads a user's words into the same names (see `initwise.explain.find`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import OptionError


@dataclass(frozen=True)
class Trait:
    """One word of the vocabulary.

    Attributes:
        name: as rows write it.
        group: what kind of thing it tells: "architecture", "part", "activation", "norm", "depth", "goal"
            or "function" (of activations).
        words: what users may say instead; spaces, hyphens and a plural's s do not matter.
        implies: wider traits that hold whenever this one does.
    """

    name: str
    group: str
    words: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()


def _group(group: str, *rows: str) -> tuple[Trait, ...]:
    """Traits from lines "name > wider, wider: word, word"."""
    found = []
    for row in rows:
        head, _, words = row.partition(":")
        name, _, wider = head.partition(">")
        found.append(Trait(name.strip(), group, _split(words), _split(wider)))
    return tuple(found)


def _split(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


_ARCHITECTURES = _group(
    "architecture",
    "mlp: fully connected, dense network, feedforward, perceptron, dense",
    "cnn: conv, convnet, convolution, convolutional, conv net, convolutional network, conv2d",
    "depthwise > cnn: depthwise convolution, depthwise conv, grouped convolution, separable convolution",
    "resnet: residual, residual network, residual net, skip connection, resnext, skip, residual connection",
    "plain: vanilla, skipless, skip free, feedforward only",
    "transformer: attention, self attention, multi head attention, encoder decoder, seq2seq",
    "language model > transformer: llm, lm, gpt, decoder only, causal lm, chat model, text generation",
    "encoder > transformer: masked language model, mlm, text encoder, encoder only",
    "vit > transformer: vision transformer, image transformer",
    "moe > transformer: mixture of experts, experts, expert, switch transformer, router",
    "mixer: mlp mixer",
    "rnn: recurrent, recurrent network, recurrence, sequence model, time series",
    "lstm > rnn: long short term memory, xlstm",
    "gru > rnn: gated recurrent unit",
    "highway: highway network",
    "ssm: state space, state space model, s4, selective state space, linear attention",
    "gan: generator, discriminator, adversarial, adversarial network",
    "diffusion: score model, denoiser, denoising, unet, u net, flow matching",
    "coordinate: coordinate network, implicit representation, neural field, inr, implicit neural "
    "representation, radiance field, physics informed, pinn",
    "gnn: graph, graph network, graph neural network, gcn, message passing, gat",
    "rl: reinforcement learning, agent, actor critic, policy gradient, ppo, dqn, policy, critic, actor",
    "recommender: recommendation, recsys, ctr, click through rate, sparse features",
    "detection: object detection, detector, anchor",
    "speech: audio, asr, speech recognition, spectrogram",
    "autoencoder: vae, variational autoencoder, auto encoder",
    "adapter: lora, peft, low rank adapter, low rank, qlora",
)
_PARTS = _group(
    "part",
    "head: output layer, classifier head, classification head, last layer, readout, "
    "logits, output head, final layer",
    "embedding: token table, lookup table, vocabulary, token embedding, table",
    "positions: position, positional encoding, position embedding, positional embedding",
    "gate: forget gate, gating, gate bias",
    "bias: biases",
    "norm gain: gamma, norm weight, norm scale, layer norm weight",
    "recurrent matrix: recurrent weight, recurrent kernel, hidden to hidden, state matrix",
    "residual branch: branch, branch end, branch output, residual scaling, residual output, residual scale",
    "softmax: softmax head, softmax classifier, softmax loss",
    "upsampling: transposed convolution, deconvolution, pixel shuffle, super resolution, convtranspose",
)
_ACTIVATIONS = _group(
    "activation",
    "relu: rectifier, relu6, rectified linear",
    "leaky relu: prelu, lrelu, rrelu",
    "tanh: hyperbolic tangent, hardtanh, softsign",
    "sigmoid: logistic, hardsigmoid",
    "gelu: quick gelu",
    "silu: swish, mish, hardswish",
    "selu: self normalizing, self normalising, snn",
    "elu: celu",
    "sine: sin, sinusoid, sines, sinusoidal, periodic activation",
    "linear: no activation, without activation, linear network",
    "glu: swiglu, geglu, reglu, gated linear unit, gated mlp",
    "any activation: custom activation, own activation, unknown activation, mixed activations",
)
_NORMS = _group(
    "norm",
    "norm: normalization, normalisation, normalized, normalised, normalization layer, "
    "normalizer, normaliser, groupnorm, gn, instancenorm",
    "batchnorm > norm: bn, batch normalization, batch normalisation",
    "layernorm > norm: ln, rmsnorm, layer normalization, layer normalisation",
    "pre-norm > norm: pre ln, preln, pre layer norm",
    "post-norm > norm: post ln, postln, post layer norm",
    "without norm: normless, unnormalized, unnormalised",
    "weight norm: weight normalization, weight normalisation, weight standardization, weight "
    "standardisation, spectral norm",
)
_DEPTHS = _group(
    "depth",
    "shallow: small, one hidden layer, two layer, not deep, few layers",
    "deep: many layers",
    "very deep > deep: extremely deep, hundreds of layers, thousands of layers, ultra deep",
)
_GOALS = _group(
    "goal",
    "imbalance: imbalanced, imbalanced classes, class imbalance, rare class, rare positives, focal loss, "
    "unbalanced, long tail, many classes",
    "width transfer: mup, hyperparameter transfer, hyper parameter transfer, learning rate transfer, wide, "
    "width, mu transfer",
    "theory: infinite width, ntk, neural tangent, kernel regime, mean field",
    "reproduce: replicate, reproduction, same as, port, compare with, baseline, default",
    "torch > reproduce: pytorch, torch default",
    "keras > reproduce: tensorflow, tf",
    "flax > reproduce: jax, linen, optax",
    "haiku > reproduce: sonnet, deepmind",
    "lasagne > reproduce: theano",
    "hugging face > reproduce: huggingface, hf",
    "fine-tuning: finetune, finetuning, pretrained, pre trained, transfer learning, checkpoint",
    "calibrated on data: data dependent, one batch, calibration, calibrate, data driven",
    "deterministic: no randomness, without randomness, nothing random, reproducible bits",
    "isometry: dynamical isometry, norm preserving, isometric",
    "bounded: bounded values, no outliers, without outliers, bounded support",
    "low precision: fp16, float16, half precision, bf16, bfloat16, fp8, mixed precision",
    "small data: few samples, few examples, little data",
    "long memory: long range, long sequence, long term, long context, long dependency, long horizon",
    "without warm-up: no warmup, without warmup, warmup free",
    "quantized: quantised, 4 bit, 8 bit, int8, nf4, quantization",
    "dropout: drop out",
    "sparse weights: sparsity, pruning, pruned",
    "muon: muon optimizer, spectral descent",
    "teaching: textbook, toy, toy example, homework, first steps, class example",
    "experiment: research, curiosity",
)
_FUNCTIONS = _group(
    "function",
    "smooth: differentiable, infinitely differentiable",
    "kinked: piecewise, piecewise linear, not smooth",
    "bounded function: saturating, bounded activation, squashing",
    "gated function: gated activation",
    "zero-centred: zero centered, odd, odd function, antisymmetric",
    "monotone: monotonic, increasing",
    "stochastic: random activation, noisy",
)

TRAITS: Mapping[str, Trait] = {
    trait.name: trait
    for group in (_ARCHITECTURES, _PARTS, _ACTIVATIONS, _NORMS, _DEPTHS, _GOALS, _FUNCTIONS)
    for trait in group
}
"""The vocabulary."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    group: tuple(trait.name for trait in TRAITS.values() if trait.group == group)
    for group in dict.fromkeys(trait.group for trait in TRAITS.values())
}
"""Group → the names of its traits."""


def checked_traits(where: str, names: Iterable[str]) -> None:
    """Raise OptionError if one of `names` is no trait."""
    for name in names:
        if name not in TRAITS:
            raise OptionError(f"trait {name!r}", where=where, legal=TRAITS, given=name)


def wider(name: str) -> frozenset[str]:
    """All traits that hold whenever `name` does, itself left out."""
    direct = TRAITS[name].implies
    return frozenset(direct).union(*(wider(trait) for trait in direct))
