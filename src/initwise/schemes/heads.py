"""Tables by their size, heads and their biases: priors, base rates; queries that start at zero."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from ..core.errors import FillError, OptionError
from ..core.fill import Fill
from ..core.layout import Fans, Layout
from ..core.parameter import ParameterInfo
from .base import Known, Scheme, SchemeRow, registry
from .needs import Base, Site, otherwise, positive, told_apart
from .scaling import fan

RETINA = "Lin et al. 2017, Focal loss, arXiv:1708.02002, sec. 4.1; torchvision, retinanet.py; detectron2"
BIAS = ParameterInfo("head.bias", (1000,), "float32", "bias")
PAIR = ParameterInfo("head.bias", (2,), "float32", "bias")


def embedding_inverse_root(fans: Fans) -> Fill:
    """N(0, 1/√d), d what a row holds."""
    width = fan(fans, "fan_out")
    return Fill.normal(0.0, width**-0.5, reason=f"1/√{width:g}: a row has length about 1")


def _row_of(scheme: Scheme, info: ParameterInfo) -> Fill:
    width = info.shape[-1]
    return Fill.normal(0.0, width**-0.5, reason=f"1/√{width}: a row has length about 1")


def dlrm_table(fans: Fans) -> Fill:
    """U(±1/√rows)."""
    rows = fans.shape[0] if fans.shape else fan(fans, "fan_in")
    return _by_rows(float(rows))


def _by_rows(rows: float) -> Fill:
    return Fill.uniform(-(rows**-0.5), rows**-0.5, reason=f"±1/√{rows:g}, by the number of rows")


def _table_rows(scheme: Scheme, info: ParameterInfo) -> Fill:
    return _by_rows(float(info.shape[0]))


def prior_bias(
    fans: Fans | None,
    at: Site,
    *,
    pi: Annotated[float, "probability that the head starts with, between 0 and 1"] = 0.01,
    std: Annotated[float, "std of the head's weights"] = 0.01,
    base: Base = "he_normal",
) -> Fill | None:
    """The head's bias is −ln((1 − π)/π), its weights N(0, std)."""
    if not 0 < pi < 1:
        raise OptionError(f"pi={pi!r}", where="scheme 'prior_bias'", expected="a probability between 0 and 1")
    if at.part != "head" or at.role not in ("weight", "bias"):
        return otherwise(base, fans, at)
    if at.role == "weight":
        return Fill.normal(0.0, std, reason=f"a head of std {std:g}: the bias decides at the start")
    return Fill.constant(
        -math.log((1 - pi) / pi), reason=f"the head starts with probability {pi:g} everywhere"
    )


def class_prior_bias(
    fans: Fans | None,
    at: Site,
    *,
    rates: Annotated[
        str, "one number per output, \"0.7, 0.2, 0.1\": each class's share, or a regression's mean targets"
    ] = "",
    output: Annotated[
        Literal["softmax", "sigmoid", "regression"],
        "softmax takes ln p (shares sum to 1), sigmoid ln(p/(1 − p)), regression the numbers themselves",
    ] = "softmax",
    base: Base = "he_normal",
) -> Fill | None:
    """The head's bias is what the outputs are without looking at the input."""
    values = _biases(rates, output)
    if at.part != "head" or at.role != "bias" or at.info is None:
        return otherwise(base, fans, at)
    if at.info.shape != (len(values),):
        raise FillError(
            f"{len(values)} numbers for a bias of shape {at.info.shape}",
            expected="one number per output",
            cause="rates says how many outputs there are",
        )
    return _vector(values, f"the head starts by answering {rates} ({output}) everywhere")


def rates_of(counts: Iterable[float]) -> str:
    """Counts of each class as the option `rates`: shares that sum to 1.

    Raises:
        OptionError: a count that is not positive and finite, or none at all.

    >>> rates_of([6, 3, 1])
    '0.6, 0.3, 0.1'
    """
    numbers = [float(count) for count in counts]
    if not numbers or not all(0 < number < math.inf for number in numbers):
        raise OptionError(
            f"counts {numbers}",
            where="rates_of",
            expected="a finite number > 0 for every class",
            fix="For a class never seen, count it once: ln 0 is no bias.",
        )
    return ", ".join(repr(number / math.fsum(numbers)) for number in numbers)


def _biases(rates: str, output: str) -> tuple[float, ...]:
    """The biases that the rates mean. Raises OptionError for rates that are none."""
    try:
        found = tuple(float(word) for word in rates.split(",")) if rates.strip() else ()
    except ValueError:
        found = ()
    if not found or not all(map(math.isfinite, found)):
        raise _no_rates(f"rates={rates!r}", 'one finite number per output, "0.7, 0.2, 0.1"')
    if output == "regression":
        return found
    if min(found) <= 0 or (output == "sigmoid" and max(found) >= 1):
        worst = min(found) if min(found) <= 0 else max(found)
        raise _no_rates(f"a rate of {worst:g}", "rates > 0" + (" and < 1" if output == "sigmoid" else ""))
    if output == "sigmoid":
        return tuple(math.log(rate / (1 - rate)) for rate in found)
    total = math.fsum(found)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise _no_rates(f"rates that sum to {total:.9g}", "shares that sum to 1")
    return tuple(map(math.log, found))


def _no_rates(got: str, expected: str) -> OptionError:
    return OptionError(
        got,
        where="scheme 'class_prior_bias'",
        expected=expected,
        fix="From counts: rates=rates_of([900, 90, 10]), from initwise.schemes.heads.",
    )


def _vector(values: tuple[float, ...], reason: str) -> Fill:
    """A vector of given numbers: runs of equal ones are parts."""
    parts: list[tuple[str, int, Fill]] = []
    for place, value in enumerate(values):
        if parts and parts[-1][2].mean == value:
            name, size, fill = parts[-1]
            parts[-1] = (name, size + 1, fill)
        else:
            parts.append((str(place), 1, Fill.constant(value)))
    if len(parts) == 1:
        return Fill.constant(values[0], reason=reason)
    layout = Layout("o", parts=tuple((name, size) for name, size, _ in parts))
    return Fill.packed(parts, layout=layout, reason=reason)


def ddpg_head(
    fans: Fans | None,
    *,
    bound: Annotated[float, "weights and bias lie within ±bound; 3e-4 from pixels"] = 3e-3,
) -> Fill:
    """U(±bound)."""
    positive("ddpg_head", bound=bound)
    return Fill.uniform(-bound, bound, reason=f"a last layer of ±{bound:g}: first actions and values near 0")


def _own_law(scheme: Scheme, info: ParameterInfo) -> Fill:
    return scheme.fill()


def negative_log_classes(fans: Fans | None, at: Site, *, base: Base = "lecun_normal") -> Fill | None:
    """The head's bias is −ln K, its weights 0."""
    if at.part != "head" or at.role not in ("weight", "bias"):
        return otherwise(base, fans, at)
    if at.role == "weight" or at.info is None:
        return Fill.constant(0.0, reason="a head of zeros: the bias alone decides at the start")
    classes = at.info.shape[0]
    return Fill.constant(-math.log(classes), reason=f"sigmoids of about 1/{classes} each")


def zero_query(fans: Fans | None, at: Site, *, base: Base = "xavier_uniform") -> Fill | None:
    """Queries start at 0: all keys weigh the same."""
    if not at.matrix:
        return otherwise(base, fans, at)
    told_apart("zero_query", at)
    if at.part == "attention.query" or at.piece in ("q", "query"):
        return Fill.constant(0.0, reason="queries start at 0: logits do not grow with the width")
    return otherwise(base, fans, at)


registry.add(
    SchemeRow(
        name="embedding_inverse_root",
        aliases=("fairseq_embedding",),
        law=embedding_inverse_root,
        summary="Tables whose rows have length about 1, whatever their width.",
        formula="N(0, 1/√d)",
        citation="fairseq, transformer.py; flax, linen/linear.py, Embed; torchscale, TextEmbedding",
        evidence="verified in source",
        differences=("Often followed by a factor √d in the forward pass: then it is N(0, 1) in effect.",),
        avoid="models that do not multiply by √d before a first layer without norm.",
        use="token tables of models that multiply embeddings by √d before the first block.",
        suits=("embedding", "transformer", "language model"),
        unsuited=("recommender",),
        see=("dlrm_table",),
        known=(Known((100, 64), "vo", "std", 0.125, source="1/√64"),),
        roles={"embedding": _row_of},
    )
)
registry.add(
    SchemeRow(
        name="dlrm_table",
        law=dlrm_table,
        summary="Tables of sparse features: smaller the more rows there are.",
        formula="U(±1/√rows)",
        citation="Naumov et al. 2019, DLRM, arXiv:1906.00091; dlrm_s_pytorch.py",
        evidence="verified in source",
        differences=("It is the number of rows that counts, not the width.",),
        avoid="tables of tokens.",
        use="embedding tables of sparse features, each looked up by its own number of rows.",
        suits=("recommender", "embedding", "bounded"),
        unsuited=("language model", "transformer"),
        see=("embedding_inverse_root",),
        known=(Known((100, 64), "vo", "high", 0.1, source="1/√100"),),
        roles={"embedding": _table_rows},
    )
)
registry.add(
    SchemeRow(
        name="prior_bias",
        aliases=("focal_prior", "base_rate_bias"),
        law=prior_bias,
        needs=("part",),
        touches=("head",),
        summary="A head of sigmoids that starts with a rare positive class: detection with focal loss.",
        formula="bias −ln((1 − π)/π), weights N(0, std); all else as the base scheme",
        citation=RETINA,
        evidence="verified in source",
        differences=(
            "For a sigmoid it is the base rate's logit ln(π/(1 − π)); a softmax takes ln p per class.",
        ),
        avoid="balanced classes, and softmax.",
        use="one-stage detectors with focal loss, and any head of sigmoids whose positives are rare.",
        suits=("imbalance", "detection", "head", "bias"),
        unsuited=("softmax",),
        see=("negative_log_classes",),
        known=(
            Known((), "", "mean", -4.5951198501, at=(("part", "head"), ("info", BIAS)), source="−ln 99"),
            Known((80, 256), "oi", "std", 0.01, at=(("part", "head"),), source="torchvision: N(0, 0.01)"),
        ),
    )
)
registry.add(
    SchemeRow(
        name="class_prior_bias",
        aliases=("log_prior_bias", "mean_target_bias"),
        law=class_prior_bias,
        needs=("part",),
        touches=("head",),
        summary="A head whose bias starts at the base rates, so that training does not spend its first steps "
        "on learning them.",
        formula="bias ln p (softmax), ln(p/(1 − p)) (sigmoid), mean target; all else as the base scheme",
        citation="Karpathy 2019, A recipe for training neural networks (init well); the maximum-likelihood "
        "constant",
        evidence="computed",
        differences=("prior_bias is the same for one sigmoid rate, with focal loss's small weights.",),
        avoid="a loss that weighs classes: then the rates are those of the weighted data.",
        use="heads trained on classes of unequal frequency: the first loss is the entropy of the base rates.",
        suits=("imbalance", "softmax", "head", "bias", "calibrated on data"),
        see=("prior_bias", "negative_log_classes"),
        known=(
            Known(
                (),
                "",
                "low",
                -2.3025850930,
                (("rates", "0.9, 0.1"),),
                at=(("part", "head"), ("info", PAIR)),
                source="ln 0.1",
            ),
            Known(
                (),
                "",
                "high",
                2.1972245773,
                (("rates", "0.9, 0.1"), ("output", "sigmoid")),
                at=(("part", "head"), ("info", PAIR)),
                source="ln 9",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="ddpg_head",
        law=ddpg_head,
        summary="The last layer of an actor or a critic: weights and bias within a tiny bound. The recipe "
        "rl-ddpg does a whole model.",
        formula="U(±0.003), bias too",
        citation="Lillicrap et al. 2015, arXiv:1509.02971, sec. 7; openai/baselines, ddpg/models.py",
        evidence="verified in source",
        differences=("The paper has 3e-4 from pixels. TD3's own code keeps torch's default.",),
        avoid="any but a last layer.",
        use="last layers of deterministic actors and critics: the first actions and values are near 0.",
        suits=("head", "rl", "bounded"),
        see=("ppo_head", "uniform"),
        known=(
            Known((1, 64), "oi", "high", 0.003, source="baselines, ddpg/models.py: ±3e-3"),
            Known(
                (1, 64),
                "oi",
                "low",
                -3e-4,
                (("bound", 3e-4),),
                source="the paper's ±3e-4 from pixels, recalled",
            ),
        ),
        elementwise=True,
        roles={"bias": _own_law},
    )
)
registry.add(
    SchemeRow(
        name="negative_log_classes",
        aliases=("nlhb",),
        law=negative_log_classes,
        needs=("part",),
        touches=("head",),
        summary="A head of sigmoids that starts with probability 1/K for each of K classes.",
        formula="bias −ln K, weights 0; all else as the base scheme",
        citation="timm, vision_transformer.py, weight_init='jax_nlhb'; mlp_mixer.py",
        evidence="verified in source",
        differences=("timm's other modes start the head's bias at 0.",),
        avoid="softmax: a bias that is the same for all classes does nothing there.",
        use="heads of many independent sigmoids trained with binary cross-entropy.",
        suits=("head", "bias", "imbalance", "vit", "mixer"),
        unsuited=("softmax",),
        see=("prior_bias",),
        known=(
            Known(
                (), "", "mean", -math.log(1000), at=(("part", "head"), ("info", BIAS)), source="1000 classes"
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="zero_query",
        law=zero_query,
        needs=("part", "packing"),
        touches=("attention.query", "attention.qkv"),
        summary="Attention that starts by weighing everything the same, at every width.",
        formula="W_q = 0; all else as the base scheme",
        citation="Yang et al. 2022, Tensor programs V, arXiv:2203.03466, app. D.2; microsoft/mup, README",
        evidence="verified in source",
        differences=("mup recommends it beside a readout of zeros.",),
        avoid="keys of zeros beside it: then neither would ever move.",
        use="transformers of several widths with muP: attention's logits do not drift with width at "
        "the start.",
        suits=("deterministic", "width transfer", "transformer", "language model"),
        see=("mup_scaling", "zeros"),
        known=(
            Known(
                (64, 64),
                "oi",
                "std",
                0.0,
                at=(("part", "attention.query"),),
                source="mup, README: zero query",
            ),
            Known(
                (64, 64), "oi", "high", math.sqrt(6 / 128), at=(("part", "attention.key"),), source="√(6/128)"
            ),
        ),
    )
)
