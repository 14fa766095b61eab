"""What the rules need to know of each weight: facts about its place in the network, no numbers of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..core.codec import JsonMixin

ROLES = (
    "stem",  # the first weight of its path: it sees the data
    "hidden",
    "branch_end",  # its output enters a residual sum with no other weight in between
    "head",  # its output reaches the model's result with no other weight in between
    "recurrent",  # it feeds itself: a hidden-to-hidden matrix, or a layer applied again to its own output
    "input",  # the input matrix of a recurrent layer
    "unused",  # it did not run on the example
)

SOURCES = (
    "raw",  # the model's own input
    "linear",  # the output of another weight
    "activation",  # `fed_by` says which
    "norm",  # a normalised signal: unit variance
    "stream",  # a residual stream
    "gate",  # a product of signals; `fed_by` names the activation inside it, if any
    "attention",  # a weighted mean over positions
    "embedding",
    "recurrent",  # a recurrent layer's output, bounded by its own tanh
    "other",
)


@dataclass(frozen=True)
class WeightFacts(JsonMixin):
    """One weight's place in the network.

    Attributes:
        name: the parameter.
        bias: the name of the bias added to its output, "" if there is none.
        role: one of `ROLES`.
        order: position in execution order; -1 if it did not run.
        source: where its input comes from, one of `SOURCES`.
        fed_by: the activation that made its input ("" if none did).
        before: the weight whose output that activation consumed ("" if a norm or a sum lies between).
        feeds: the activation that consumes its output ("" if none does).
        normed_output: its output goes straight into a norm, so its scale does not matter forward.
        post_norm: it lies in a residual branch whose *sum* is normalised (post-LN).
        attention: "query", "key", "value", "query_key_value" or "out"; "" outside attention.
        gate: "gate" or "value" for the two sides of a product (GLU, SwiGLU), else "".
        carry: −1 if its sigmoid says how much of its own input is replaced (a highway's t), 1 if how much is
            carried on, else 0.
        branch_start: it reads the residual stream.
        adds: number of residual sums in the network.
        depth: number of weights on the longest path before it.
        chain: number of weights on the longest path through it with neither norm nor residual sum.
        square: it is a dense matrix with at most as many outputs as inputs.
        inputs, outputs: units of its one matrix, kernel elements not counted; 0 if it has groups, parts or
            several matrices.
        outputs_first: its layout has the output axis before the input axis, as torch's layers do.
        uses: how many times it ran.
        tied: it is also an embedding's table.
    """

    name: str
    bias: str = ""
    role: str = "hidden"
    order: int = -1
    source: str = "raw"
    fed_by: str = ""
    before: str = ""
    feeds: str = ""
    normed_output: bool = False
    post_norm: bool = False
    attention: str = ""
    gate: str = ""
    carry: int = 0
    branch_start: bool = False
    adds: int = 0
    depth: int = 0
    chain: int = 1
    square: bool = False
    inputs: int = 0
    outputs: int = 0
    outputs_first: bool = False
    uses: int = 1
    tied: bool = False


@dataclass(frozen=True)
class Structure(JsonMixin):
    """A network as the rules see it.

    Attributes:
        weights: one entry per weight that is a linear map, in execution order, unused ones last.
        branch_norms: gains of norms that are the last thing on a residual branch.
        adds: number of residual sums.
        norms: number of normalisations.
        post_norm: True if most residual sums are normalised (post-LN).
        traced: False when the model could not be traced and this is a guess from its parameters.
        unnamed: number of elementwise functions that are no registered activation.
        embeddings: number of look-ups of sequences that the model is given.
        loss: "classification", "regression", or "" where it is not known.
        direct: embeddings whose values reach the model's result with no weight in between.
        rate: the learning rate that will be used; 0 where it is not known.
        optimizer: that it is for: "adam" or "sgd", else "".
    """

    weights: tuple[WeightFacts, ...]
    branch_norms: tuple[str, ...] = ()
    adds: int = 0
    norms: int = 0
    post_norm: bool = False
    traced: bool = True
    unnamed: int = 0
    embeddings: int = 0
    loss: str = ""
    direct: tuple[str, ...] = ()
    rate: float = 0.0
    optimizer: str = ""

    @property
    def language(self) -> bool:
        """Is it a transformer over tokens: embeddings, attention, norms?"""
        compared = any(facts.attention in ("query", "key", "query_key_value") for facts in self.weights)
        return self.embeddings > 0 and compared and self.norms > 0

    @property
    def light(self) -> bool:
        """Does it read embeddings that nothing normalises? They start light, and training makes them grow."""
        return self.embeddings > 0 and not self.norms

    @property
    def steadied(self) -> bool:
        """Do norms or gates keep the signal's size over the depth?"""
        return bool(self.norms) or any(facts.gate for facts in self.weights)

    def __iter__(self) -> Iterator[WeightFacts]:
        return iter(self.weights)

    def __getitem__(self, name: str) -> WeightFacts:
        return self.find(name) or WeightFacts(name, role="unused")

    def find(self, name: str) -> WeightFacts | None:
        """The facts of the weight called `name`, or None."""
        return self._by_name.get(name)

    @functools.cached_property
    def _by_name(self) -> Mapping[str, WeightFacts]:
        return {facts.name: facts for facts in reversed(self.weights)}

    def consumers(self, name: str) -> tuple[WeightFacts, ...]:
        """The weights fed by the activation that takes the output of the weight `name`, and by it alone."""
        return self._consumers.get(name, ())

    @functools.cached_property
    def _consumers(self) -> Mapping[str, tuple[WeightFacts, ...]]:
        found: dict[str, tuple[WeightFacts, ...]] = {}
        for facts in self.weights:
            if facts.before:
                found[facts.before] = (*found.get(facts.before, ()), facts)
        return found

    @property
    def depth(self) -> int:
        """Weights on the longest path."""
        return max((facts.depth + 1 for facts in self.weights if facts.order >= 0), default=0)

    @property
    def chain(self) -> int:
        """Weights on the longest path with neither norm nor residual sum."""
        return max((facts.chain for facts in self.weights), default=0)

    @property
    def activation(self) -> str:
        """The activation that most weights feed, "" if there is none."""
        names = [facts.feeds or facts.fed_by for facts in self.weights if facts.feeds or facts.fed_by]
        return max(names, key=names.count) if names else ""

    def centrable(self, activation: str) -> bool:
        """May the mean of `activation` be taken out by identities and biases: do all weights it feeds
        in chains have a bias and at most as many outputs as inputs?"""
        fed = [w for w in self.weights if w.fed_by == activation and w.before and w.role == "hidden"]
        return bool(fed) and all(w.square and w.bias and w.uses == 1 and not w.gate for w in fed)

    @property
    def attention(self) -> bool:
        """Is there attention in it?"""
        return any(facts.attention for facts in self.weights)

    @property
    def recurrent(self) -> bool:
        """Is there a recurrent layer in it?"""
        return any(facts.role in ("recurrent", "input") for facts in self.weights)
