"""Which torch operation is what: one table, by the operation's own name.

Names are those of functions and methods alike, without the trailing underscore of in-place forms
and without the underscores of operators (`__iadd__` → "iadd"). To teach the tracer an operation,
add its name to one of the groups; what a rule does is written in `rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Op:
    """What to do with an operation.

    Attributes:
        rule: a function of `rules` by name, or one of `core.graph.OPS` for a plain node.
        label: the node's label; "" means the operation's name.
    """

    rule: str
    label: str = ""


def _group(rule: str, names: str, label: str | None = None) -> dict[str, Op]:
    return {name: Op(rule, name if label is None else label) for name in names.split()}


TABLE: dict[str, Op] = {
    # elementwise, by registered name; torch's spellings differ for some
    **_group(
        "activation",
        "relu relu6 elu celu selu silu mish softplus sigmoid hardsigmoid tanh hardtanh hardswish "
        "softsign tanhshrink softshrink hardshrink leaky_relu prelu rrelu threshold sin cos erf exp "
        "gelu atan square abs",
    ),
    **_group("activation", "logsigmoid log_sigmoid", "log_sigmoid"),
    **_group("activation", "expit", "sigmoid"),
    **_group("activation", "arctan", "atan"),
    **_group(
        "pointwise",
        "pow rpow clamp clamp_min clamp_max clip sqrt rsqrt log log1p log2 log10 exp2 expm1 sinh cosh tan "
        "asin acos asinh acosh atanh reciprocal sign round floor ceil trunc frac erfc erfinv logit "
        "nan_to_num hypot special_erf heaviside sinc absolute positive lgamma digamma atan2 "
        "floor_divide remainder fmod xlogy addcmul addcdiv lerp minimum maximum fmin fmax logaddexp",
    ),
    **_group("negation", "neg negative", "-1"),
    "_threshold": Op("activation", "threshold"),
    **_group("masked", "masked_fill where tril triu bernoulli"),
    **_group("sum", "add sub rsub subtract iadd isub radd"),
    **_group("product", "mul multiply imul rmul div true_divide divide idiv itruediv rdiv rtruediv rdivide"),
    **_group("linear", "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"),
    **_group("linear", "matmul rmatmul mm bmm mv dot inner einsum tensordot addmm baddbmm addbmm addmv"),
    **_group("linear", "bilinear linalg_multi_dot multi_dot chain_matmul outer convolution _convolution"),
    **_group("linear", "scaled_mm _scaled_mm grouped_mm _grouped_mm linear_cross_entropy"),
    **_group("recurrent", "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell"),
    **_group("embedding", "embedding embedding_bag"),
    "batch_norm": Op("norm", "batch"),
    "layer_norm": Op("norm", "layer"),
    "group_norm": Op("norm", "group"),
    "instance_norm": Op("norm", "instance"),
    "rms_norm": Op("norm", "rms"),
    "local_response_norm": Op("norm", "local_response"),
    "normalize": Op("norm", "l2"),
    **_group("softmax", "softmax log_softmax softmin gumbel_softmax special_softmax"),
    **_group("reduce", "mean sum var std norm amax amin logsumexp prod nanmean nansum median mode"),
    **_group("reduce", "linalg_norm linalg_vector_norm vector_norm"),
    **_group("reduce", "max min topk sort cummax cummin cumsum cumprod aminmax var_mean std_mean"),
    **_group(
        "pool",
        "avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d adaptive_avg_pool1d "
        "adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d "
        "adaptive_max_pool3d lp_pool1d lp_pool2d lp_pool3d fractional_max_pool2d fractional_max_pool3d "
        "interpolate upsample max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices "
        "adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices "
        "fractional_max_pool2d_with_indices fractional_max_pool3d_with_indices _fractional_max_pool2d "
        "grid_sample",
    ),
    **_group(
        "dropout",
        "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout",
    ),
    **_group(
        "concat", "cat concat concatenate stack hstack vstack dstack column_stack row_stack pad_sequence"
    ),
    **_group(
        "view",
        "view reshape flatten unflatten transpose t permute movedim moveaxis swapaxes swapdims squeeze "
        "unsqueeze expand expand_as repeat tile repeat_interleave chunk split tensor_split unbind narrow "
        "select roll flip rot90 unfold fold pad pixel_shuffle pixel_unshuffle channel_shuffle view_as "
        "reshape_as T mT H mH as_strided diagonal diag diag_embed broadcast_to broadcast_tensors atleast_1d "
        "atleast_2d atleast_3d ravel split_with_sizes hsplit vsplit dsplit meshgrid unsafe_split "
        "unsafe_chunk swapaxes adjoint nested_tensor to_padded_tensor _pack_padded_sequence "
        "_pad_packed_sequence masked_select",
    ),
    **_group(
        "same", "to float half double bfloat16 type type_as contiguous clone detach data cpu cuda alias"
    ),
    **_group("same", "requires_grad_ retain_grad real detach_ copy deepcopy resolve_conj"),
    **_group("index", "getitem index_select index gather take take_along_dim"),
    **_group("assign", "setitem copy_ index_put index_copy index_add scatter scatter_add masked_scatter"),
    **_group("assign", "index_fill slice_scatter select_scatter scatter_reduce"),
    "scaled_dot_product_attention": Op("attention"),
    "multi_head_attention_forward": Op("multihead"),
    "glu": Op("glu"),
    # made from a tensor's shape, not from its values
    **_group("silent", "empty_like zeros_like ones_like full_like rand_like randn_like randint_like"),
    **_group("silent", "new_empty new_zeros new_ones new_full new_tensor numpy tolist item grad"),
    **_group(
        "mask", "eq ne lt le gt ge less less_equal greater greater_equal not_equal isnan isinf isfinite"
    ),
    **_group("mask", "logical_and logical_or logical_not logical_xor signbit and or xor invert"),
    **_group("mask", "bitwise_and bitwise_or bitwise_xor bitwise_not"),
    **_group("silent", "any all"),
    **_group("silent", "zeros ones full empty arange linspace eye rand randn tensor as_tensor"),
    **_group("silent", "argmax argmin argsort bucketize searchsorted size stride shape"),
    "one_hot": Op("view"),
}

OTHER = Op("other", "")


def operation(func: Any) -> tuple[str, bool]:
    """An operation's plain name, and whether it changes its first argument in place."""
    name = getattr(func, "__name__", type(func).__name__)
    if name in ("__get__", "__set__"):
        name = getattr(getattr(func, "__self__", None), "__name__", name)
        return name, False
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        plain = name[1:] if name[:1] == "i" and name[1:] in TABLE else name
        return plain, plain != name or name == "setitem"
    if name in TABLE and name.endswith("_"):
        return name, name == "copy_"
    in_place = name.endswith("_") and not name.startswith("_")
    return (name[:-1] if in_place else name), in_place
