"""Which part of a network a parameter is: one vocabulary for all families, one table of patterns.

A recipe speaks of parts ("attention.output", "mlp.down", "embedding"), a model of names
("h.3.attn.c_proj.weight"). The table below is the only place that knows both: a family whose
layers have new names adds a pattern here and nothing anywhere else.

A parameter's *label* is its layer's path, with its own name added where that is more than "weight" or
"bias": "h.3.attn.c_proj", "vit.embeddings.cls_token". A pattern looks at the last name of the label,
at the names before it and the classes they lie in, and at the parameter's role and layer kind.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ..core.parameter import ParameterInfo

PARTS: dict[str, str] = {
    "embedding": "table of tokens",
    "position": "learned positions, a table or a tensor",
    "position.conv": "a convolution that tells positions",
    "relative_position": "biases or tables by distance",
    "token_type": "table of segments",
    "class_token": "class token",
    "mask_token": "stands for what is masked",
    "register_token": "register or distillation tokens",
    "patch": "the convolution or matrix that makes patches into tokens",
    "attention.query": "queries (and, of latent attention, both factors)",
    "attention.key": "keys",
    "attention.value": "values",
    "attention.qkv": "queries, keys and values in one matrix",
    "attention.key_value": "keys and values in one matrix, latent or not",
    "attention.output": "what attention writes into the residual stream",
    "attention.gate": "a gate on attention's output",
    "attention.sink": "logits of no token at all",
    "attention.bonus": "RWKV's weight of the token at hand, by head",
    "mlp.up": "the MLP's first matrix; of a gated one, the part without the activation",
    "mlp.gate": "of a gated MLP, the part with the activation",
    "mlp.gate_up": "both in one matrix",
    "mlp.down": "what the MLP writes into the residual stream",
    "expert.up": "as mlp.up, of an expert",
    "expert.gate": "as mlp.gate, of an expert",
    "expert.gate_up": "as mlp.gate_up, of an expert",
    "expert.down": "as mlp.down, of an expert",
    "router": "chooses the experts",
    "norm": "gain and bias of a norm",
    "norm.last": "last norm of a convolutional residual branch",
    "norm.head": "gain of a norm of queries or keys",
    "head": "the last layer: logits, classes, actions",
    "head.transform": "a matrix between body and head",
    "pooler": "makes one vector of many",
    "projection": "from one tower's space into another",
    "logit_scale": "temperature of a contrastive loss or of an attention",
    "logit_bias": "bias of a contrastive loss",
    "layer_scale": "per-channel factor on a residual branch",
    "residual_scale": "one factor on a residual branch or stream",
    "modulation": "shift, scale and gate from a condition (adaLN)",
    "timestep": "embeds the time of a diffusion",
    "label": "table of classes",
    "conv": "a convolution in a network of them",
    "conv.depthwise": "a convolution of each channel by itself",
    "conv.last": "the last convolution of a residual branch",
    "conv.shortcut": "a convolution on the shortcut",
    "conv.squeeze": "squeeze and excitation",
    "stem": "the first convolutions of a network of them",
    "feature": "convolutions that turn a waveform or spectrogram into tokens",
    "ssm.in": "a state-space block's first matrix",
    "ssm.out": "what a state-space block writes into the residual stream",
    "ssm.x": "makes B, C and the time step of the input",
    "ssm.dt": "the time step's matrix",
    "ssm.dt_bias": "the time step's bias",
    "ssm.A": "the state's decay, usually its logarithm",
    "ssm.D": "the skip around the state",
    "ssm.conv": "the short convolution before the state",
}


@dataclass(frozen=True)
class Pattern:
    """One line of the table; what is "" matches everything.

    Attributes:
        part: one of `PARTS`.
        last: regular expression for the label's last name, as a whole.
        context: regular expression to be found in the names before it and the classes around it.
        roles: roles it can have. kinds: regular expression for the layer's class, as a whole.
    """

    part: str
    last: str = ""
    context: str = ""
    roles: tuple[str, ...] = ()
    kinds: str = ""


ATTENTION = r"[Aa]ttn|[Aa]ttention|(^|\.)att(\.|$)|mha|[Rr]etention"
EXPERTS = r"expert"
SSM = r"mixer|mamba|ssm|linear_attn|DeltaNet"
NORMS = ("norm_gain", "norm_bias")
TABLES = ("embedding",)
CONV = r"_?Conv.*\dd|_ConvNd|Conv2dSame|StdConv2d|WSConv2d"

TABLE: tuple[Pattern, ...] = (
    # tokens, positions and tables
    Pattern("norm.head", r"(q|k|query|key)_?(layer_?)?norm|norm_(q|k)|norm_(query|key)", roles=NORMS),
    Pattern("norm.last", r"bn3", r"Bottleneck", NORMS),
    Pattern("norm.last", r"bn2", r"BasicBlock", NORMS),
    Pattern("norm", roles=NORMS),
    Pattern(
        "relative_position",
        r"relative_attention_bias|relative_position_bias_table|rel_pos(_[hw]|_bias)?|relative_bias|"
        r"(rel|relative)_(pos|position)_?(emb|embed|embedding|embeddings|bias)s?|rel_embeddings?|"
        r"relative_attention_bias_table|distance_embedding|r_(r|w|s)_bias",
    ),
    Pattern("mask_token", r"mask_token|masked_spec_embed|mask_emb(ed)?|.*mask_tokens?"),
    Pattern("class_token", r"cls_token|class_token|class_embedding|cls"),
    Pattern("register_token", r"(dist|distillation|reg|register|detection)_tokens?"),
    Pattern("token_type", r"token_type_(embeddings?|ids)|segment_embeddings?|tte|seg_embed", roles=TABLES),
    Pattern("label", r"label_emb|embedding_table", "y_embedder|label|class_embed", TABLES),
    Pattern("label", r"label_emb|y_embedder|class_emb(ed)?", roles=TABLES),
    Pattern(
        "position",
        r"wpe|(absolute_)?pos_?(emb|embed|embeds|embedding|embeddings)|position_?(emb|embed|embeds|embedding|embeddings)|"
        r"embed_positions|positional_embedding|(word_)?position_embeddings|.*_position_embeddings?|"
        r"positions|decoder_pos_embed|temporal_embedding|(row|column)_embeddings",
        roles=("embedding", "token", "bare", "weight"),
    ),
    Pattern(
        "position",
        r"weight|.*embeddings?",
        r"(pos_?emb\w*|position\w*|embed_positions)$",
        ("embedding", "bare"),
    ),
    Pattern("head", r"lm_head|embed_out", roles=TABLES),
    Pattern("embedding", roles=TABLES),
    # factors
    Pattern("logit_scale", r"(t_prime_)?logit_scale|temperature", roles=("bare", "weight", "token")),
    Pattern("logit_bias", r"logit_bias", roles=("bare", "token", "bias")),
    Pattern(
        "layer_scale",
        r"lambda1|lambda_[12]|gamma(_\d)?|layer_scale(_parameter|_\d|\d)?|ls\d?|layer_scale_parameter",
        roles=("bare", "token"),
    ),
    Pattern(
        "residual_scale",
        r"skip(init)?_gain|res_?weight|resid_lambdas?|x0_lambdas?|alpha|re_?zero|branch_scale|scale",
        roles=("bare", "token"),
    ),
    Pattern("attention.sink", r"sinks?", roles=("bare", "token")),
    Pattern("attention.bonus", r"r_k", ATTENTION, ("bare", "token")),
    Pattern("mlp.up", r"key", r"feed_forward|ffn|channel_mix"),
    # diffusion
    Pattern("modulation", r"\d+|lin|linear|proj|.*modulation.*", r"adaLN|modulation|_mod(\.|$)|AdaLayerNorm"),
    Pattern("modulation", r".*(modulation|adaln).*"),
    Pattern(
        "timestep",
        r"\d+|linear_\d|in_layer|out_layer|dense\d?|proj",
        r"(^|\.)(t_embedder|time|time_\w+|timestep\w*|vector_in|guidance\w*)(\.|$)|Timestep",
    ),
    # attention before state-space blocks: hybrids have both under "mixer"
    Pattern("attention.gate", r"g_proj|gate|to_gates?|v?e_gate|smear_gate", ATTENTION),
    Pattern(
        "router",
        r"gate|router|wg|classifier|shared_expert_gate|layer|gate_proj",
        r"(^|\.)(gate|router)$|Router",
    ),
    Pattern("router", r"gate|router|wg|shared_expert_gate", r"mlp|moe|ffn|feed_forward|Sparse|MoE|mixer"),
    Pattern("ssm.A", r"A_log|A(_real|_imag)?|log_A_real"),
    Pattern("ssm.D", r"D", SSM),
    Pattern("ssm.dt_bias", r"dt_bias"),
    Pattern("ssm.dt", r"dt_proj", SSM),
    Pattern("ssm.x", r"x_proj", SSM),
    Pattern("ssm.in", r"in_proj|in_proj_\w+", SSM),
    Pattern("ssm.conv", r"conv1d", SSM),
    Pattern("attention.qkv", r"in_proj(_weight)?", ATTENTION + "|MultiheadAttention"),
    Pattern("ssm.out", r"out_proj", r"(^|\.)(mixer|mamba|ssm|linear_attn)$"),
    Pattern(
        "attention.qkv",
        r"c_attn|(to_)?qkv(_proj)?|query_key_value|[wW]_?qkv|att_proj|attn_qkv|qkv_\w+|qkvz?_proj",
    ),
    Pattern(
        "attention.key_value",
        r"(to_)?kv(_proj)?|key_value|kv_a_proj_with_mqa|kv_b_proj|wkv_[ab]|kv_[ab]_proj",
    ),
    Pattern(
        "attention.query",
        r"q|q_bias|wq(_[ab])?|(to_)?q(_proj|_lin|_[ab]_proj)?|query(_proj|_layer)?|linear_q|q_proj_weight|query_global|"
        r"linear_query",
    ),
    Pattern(
        "attention.key",
        r"k|wk|(to_)?k(_proj|_lin)?|key(_proj|_layer)?|linear_k|k_proj_weight|key_global|linear_key",
    ),
    Pattern(
        "attention.value",
        r"v|v_bias|wv|(to_)?v(_proj|_lin)?|value(_proj|_layer)?|linear_v|v_proj_weight|value_global|linear_value",
        ATTENTION + "|self|Self|mixer|(^|\\.)\\d+$",
    ),
    # squeeze and excitation under the name of attention, in convolutional networks
    Pattern("conv.squeeze", r"\d+", r"(^|\.)attention$", kinds=CONV),
    # experts
    Pattern("expert.gate_up", r"gate_up_proj(_bias)?|w1w3|input_linear", EXPERTS + "|block_sparse_moe"),
    Pattern("expert.gate", r"gate_proj|w1", EXPERTS),
    Pattern("expert.up", r"up_proj|w3|wi|fc1|dense_h_to_4h", EXPERTS),
    Pattern(
        "expert.down",
        r"down_proj(_bias)?|w2|wo|fc2|dense_4h_to_h|output_linear",
        EXPERTS + "|block_sparse_moe",
    ),
    # squeeze and excitation, whose two layers are called as an MLP's
    Pattern("conv.squeeze", r"fc[12]", r"(^|\.)se$|SELayer|SqueezeExc"),
    # MLPs
    Pattern("mlp.gate_up", r"gate_up_proj|Wi|ff_proj|gate_and_up|fc1_gate_up"),
    Pattern("mlp.gate", r"gate_proj|w1|wi_0|linear_gate|w_gate|fc1_g"),
    Pattern(
        "mlp.up",
        r"c_fc|fc1|fc_in|up_proj|w3|wi|wi_1|dense_h_to_4h|lin1|linear1|intermediate_dense|ffn|pwconv1|fc1_x|w_up",
    ),
    Pattern("mlp.up", r"intermediate", r"feed_forward$"),
    Pattern("mlp.up", r"conv1d", r"intermediate$"),
    Pattern("mlp.down", r"output", r"feed_forward$"),
    Pattern("mlp.down", r"conv1d", r"output$"),
    Pattern("mlp.up", r"dense_?1", r"mlp|ffn"),
    Pattern("mlp.down", r"dense_?2", r"mlp|ffn"),
    Pattern("mlp.up", r"dense|0", r"intermediate$|(^|_|\.)(mlp|ffn)(\.net)?(\.0)?$"),
    Pattern(
        "mlp.down",
        r"fc2|fc_out|down_proj|w2|dense_4h_to_h|lin2|linear2|output_dense|ffn_output|ff_out|pwconv2|w_down",
    ),
    Pattern(
        "mlp.down",
        r"c_proj|wo|proj|o_proj|out_proj|Wo|2|dense",
        r"(^|_|\.)(mlp|ffn|feed_forward|DenseReluDense)(\.net)?$",
    ),
    Pattern("mlp.down", r"value", r"feed_forward|ffn|channel_mix"),
    # attention's output: names that mean it only inside attention
    Pattern(
        "attention.output",
        r"c_proj|o_proj|out_proj|wo|o|proj|dense|out_lin|to_out|attn_out|Wo|out|output|projection|"
        r"final_layer_proj|linear_out|output_proj|(\d+)",
        ATTENTION + r"|to_out$",
    ),
    Pattern("attention.output", r"attn_out|o_proj|out_lin"),
    # heads; before "dense" of an output block
    Pattern("head", r"predictions?|lm_head", roles=("bare",)),
    Pattern(
        "head.transform",
        r"dense(_\d)?|vocab_transform|pre_logits",
        r"transform$|lm_head$|predictions?$|mlm|LMHead|PredictionHead$|PredictionHead\b.*ForMasked",
    ),
    Pattern("head.transform", r"vocab_transform|pre_logits|pre_classifier"),
    Pattern("head.transform", r"dense", r"classifier$|(^|\.)head$|ClassificationHead"),
    Pattern("head", r"out_proj", r"classifier$|classification_head$|ClassificationHead|(^|\.)head$"),
    Pattern("pooler", r"dense|.*", r"pooler$|attentional_pool"),
    Pattern("pooler", r"pooler|summary"),
    Pattern("mlp.down", r"dense", r"output$|Output$"),
    Pattern(
        "projection",
        r"text_projection|visual_projection|image_projection|text_proj|vision_proj|embed_proj\w*|project_(in|out)|"
        r"embedding_projection|embeddings_project|embedding_hidden_mapping_in|multi_modal_projector|mm_input_projection_weight",
    ),
    Pattern("projection", r"proj", r"(^|\.)(visual|vision)$", ("bare", "token")),
    Pattern("projection", r"linear_\d|projection|proj|\d", r"projector|feature_projection|connector"),
    # convolutions
    Pattern("position.conv", r"conv|\d+", r"pos_conv", kinds=CONV),
    Pattern("feature", r"conv\d?|conv", r"feature_extractor", kinds=CONV),
    Pattern("feature", r"conv[12]", r"encoder$|Whisper", kinds=r".*1d|_ConvNd"),
    Pattern(
        "patch",
        r"proj(ection)?|conv_proj|patch_embedding|patch_embed(dings?)?|conv1|\d",
        r"patch|visual$|vision_model\.embeddings|x_embedder|embeddings$",
        kinds=CONV + "|Linear",
    ),
    Pattern("patch", r"proj(ection)?|conv_proj|conv1", "^$", kinds=CONV),
    Pattern("patch", r"conv_proj|patch_embedding|patch_embed(dings?)?"),
    Pattern(
        "head",
        r"(aux_)?classifier|lm_head|output_projection|heads?(_dist)?|head_dist|score|embed_out|logits_proj|qa_outputs|decoder|discriminator_predictions|seq_relationship|cls_classifier|distillation_classifier|action_net|value_net|logits|unembed(ding)?|ctc_head|sequence_summary|class_labels_classifier|vocab_projector|generator_lm_head|dense_prediction|predictor",
    ),
    Pattern("head", r"output|fc|linear|last_linear", "^$"),
    Pattern("head", r"\d+|head|fc|l", r"(^|\.)(classifier|heads?|cls|score)$"),
    Pattern(
        "conv.squeeze",
        r"\d|fc[12]|reduce|expand|conv_(reduce|expand)|squeeze|excite",
        r"(^|\.)se(\.|$)|squeeze|SELayer|SqueezeExc",
    ),
    Pattern(
        "conv.shortcut",
        r"\d|conv\d?|convolution|shortcut|downsample|conv_shortcut|skip|nin_shortcut",
        r"downsample|shortcut|skip|Shortcut",
        kinds=CONV,
    ),
    Pattern(
        "conv.shortcut", r"downsample|shortcut|conv_shortcut|nin_shortcut|skip_connection|skip", kinds=CONV
    ),
    Pattern("conv", kinds=CONV),
    Pattern("attention.output", r"proj", roles=("weight", "bias")),
)


def part_of(info: ParameterInfo) -> str:
    """The parameter's part, or "" for one that no pattern knows.

    A parameter's other names count too: a table tied to the head is the table.
    """
    found = _part(info.name, info.layer, info.role, info.kind, info.within)
    if found in ("conv", "patch", "conv.squeeze", "mlp.up", "mlp.down") and depthwise(info):
        return "conv.depthwise"
    return found


def depthwise(info: ParameterInfo) -> bool:
    """Is it a convolution of each channel by itself?"""
    fans = info.fans
    layout = None if fans is None else fans.layout
    return layout is not None and layout.groups > 1 and layout.size(fans.shape, "i") == 1  # type: ignore[union-attr]


def label_of(name: str) -> str:
    """A parameter's label: its name without a plain "weight" or "bias" at the end."""
    head, _, last = name.rpartition(".")
    return head if last in ("weight", "bias", "in_proj_bias") and head else name


def _part(name: str, layer: str, role: str, kind: str, within: tuple[str, ...]) -> str:
    label = label_of(name)
    before, _, last = label.rpartition(".")
    # a Linear's own class says nothing; the classes around it do
    classes = (within[1:] if label == layer else within)[:-1]
    return _found(last, before, " ".join(classes), role, kind or (within[0] if within else ""))


@functools.lru_cache(maxsize=65536)
def _found(last: str, before: str, classes: str, role: str, kind: str) -> str:
    for pattern in TABLE:
        if pattern.roles and role not in pattern.roles:
            continue
        if pattern.last and not _compiled(pattern.last).fullmatch(last):
            continue
        if pattern.kinds and not _compiled(pattern.kinds).fullmatch(kind):
            continue
        if pattern.context and not _around(pattern.context, before, classes):
            continue
        return pattern.part
    return ""


def _around(context: str, before: str, classes: str) -> bool:
    return bool(_compiled(context).search(before) or (classes and _compiled(context).search(classes)))


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
