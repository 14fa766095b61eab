"""The whole survey of published model initializations: each of its 80 rows is a recipe, by these words."""

import pytest

from initwise.recipes import Recipe, recipe

SURVEY = {
    "R01 GPT-2, released code": [("gpt2", {"flavor": "openai"})],
    "R02 GPT-2, Hugging Face": [("gpt2", {"flavor": "hf"})],
    "R03 nanoGPT": [("nanogpt", {})],
    "R04 Megatron-LM": [("megatron", {}), ("megatron", {"hybrid": True, "embedding_std": 1.0})],
    "R05 GPT-NeoX-20B and Pythia": [("gpt_neox", {}), ("pythia", {})],
    "R06 OPT": [("opt", {}), ("opt", {"flavor": "hf"})],
    "R07 LLaMA, Mistral, Qwen in Hugging Face": [
        ("llama", {}),
        ("mistral", {}),
        ("qwen2", {}),
        ("qwen3", {}),
    ],
    "R08 Llama 3, torchtitan": [("llama3", {"flavor": "torchtitan"})],
    "R09 DeepSeek-V3, torchtitan": [("deepseek_v3", {"flavor": "torchtitan"})],
    "R10 DeepSeek's reports": [("deepseek_v3", {"flavor": "paper"})],
    "R11 Qwen3, torchtitan": [("qwen3", {"flavor": "torchtitan"}), ("qwen3_moe", {})],
    "R12 OLMo full_megatron": [
        ("olmo", {"flavor": "full_megatron"}),
        ("olmo", {"flavor": "full_megatron", "scale_embedding": True}),
    ],
    "R13 OLMo mitchell": [
        ("olmo", {"flavor": "mitchell"}),
        ("olmo", {"flavor": "mitchell", "embedding_std": 1.0}),
    ],
    "R14 OLMo normal": [("olmo", {"flavor": "normal"})],
    "R15 OLMo-core normal, llama, llama_depth": [
        ("olmo_core", {"flavor": flavor}) for flavor in ("normal", "llama", "llama_depth")
    ],
    "R16 OLMo-core fan_in": [("olmo_core", {"flavor": "fan_in", "embedding_scale": 8.0})],
    "R17 OLMo-core normalized": [("olmo_core", {"flavor": "normalized"})],
    "R18 Gemma": [("gemma", {}), ("gemma2", {}), ("gemma3", {})],
    "R19 Qwen3-Next": [("qwen3_next", {})],
    "R20 mixtures of experts, Hugging Face": [("mixtral", {}), ("deepseek_v3", {}), ("gpt_oss", {})],
    "R21 nanochat": [("nanochat", {})],
    "R22 modded-nanogpt": [("modded_nanogpt", {})],
    "R23 RWKV-7": [("rwkv7", {})],
    "R24 T-Fixup": [("t_fixup", {})],
    "R25 BERT, Google": [("bert", {"flavor": "google"})],
    "R26 BERT and RoBERTa, Hugging Face": [("bert", {"flavor": "hf"}), ("roberta", {})],
    "R27 ModernBERT": [("modernbert", {})],
    "R28 T5, Hugging Face": [("t5", {"flavor": "hf", "factor": 1.0})],
    "R29 T5, t5x": [("t5", {"flavor": "t5x"})],
    "R30 Transformer, fairseq": [("fairseq_transformer", {})],
    "R31 TorchScale": [
        ("torchscale", {"flavor": "subln"}),
        ("torchscale", {"flavor": "deepnorm"}),
        ("retnet", {}),
    ],
    "R32 nn.Transformer": [("torch_transformer", {})],
    "R33 CLIP, OpenAI": [("clip", {"flavor": "openai"})],
    "R34 CLIP, Hugging Face": [("clip", {"flavor": "hf"})],
    "R35 SigLIP": [("siglip", {})],
    "R36 Whisper, OpenAI": [("whisper", {"flavor": "openai"})],
    "R37 Whisper, Hugging Face": [("whisper", {"flavor": "hf"})],
    "R38 ViT, JAX": [("vit", {"flavor": "jax"})],
    "R39 ViT, big_vision": [("vit", {"flavor": "big_vision"})],
    "R40 ViT, timm": [("vit", {"flavor": "timm"}), ("vit", {"flavor": "timm", "fix_init": True})],
    "R41 ViT, timm's jax and jax_nlhb": [
        ("vit", {"flavor": "timm_jax"}),
        ("vit", {"flavor": "timm_jax", "nlhb": 6.9}),
    ],
    "R42 ViT, timm's moco": [("vit", {"flavor": "moco"})],
    "R43 ViT, torchvision": [("vit", {"flavor": "torchvision"})],
    "R44 ViT and DINOv2, Hugging Face": [("vit", {"flavor": "hf"}), ("dinov2", {"flavor": "hf"})],
    "R45 DeiT and CaiT": [("deit", {}), ("cait", {"layer_scale": 1e-6})],
    "R46 BEiT": [("beit", {}), ("beit", {"layer_scale": 1e-5})],
    "R47 Swin": [("swin", {}), ("swin", {"flavor": "hf"})],
    "R48 SwinV2": [("swinv2", {})],
    "R49 ConvNeXt": [("convnext", {}), ("convnext", {"head_scale": 0.001})],
    "R50 MLP-Mixer and gMLP": [("mixer", {"flavor": "jax"}), ("mixer", {"flavor": "timm"}), ("gmlp", {})],
    "R51 ResNet": [
        ("resnet", {"flavor": "torchvision"}),
        ("resnet", {"flavor": "timm"}),
        ("resnet", {"zero_gamma": "on"}),
        ("resnet_v2", {}),
    ],
    "R52 EfficientNet": [("efficientnet", {"flavor": flavor}) for flavor in ("tpu", "timm", "torchvision")],
    "R53 classical convolutional networks": [
        (name, {})
        for name in (
            *("vgg", "mobilenet_v2", "mobilenet_v3", "regnet", "mnasnet", "densenet", "squeezenet"),
            *("inception", "googlenet", "maxvit", "alexnet", "shufflenet_v2"),
        )
    ],
    "R54 NF-ResNet and NFNet": [("nf_resnet", {}), ("nfnet", {})],
    "R55 Fixup": [("fixup", {"flavor": "cifar"}), ("fixup", {"flavor": "imagenet"})],
    "R56 SkipInit": [("skipinit", {})],
    "R57 detection heads": [("retinanet", {}), ("fcos", {}), ("faster_rcnn", {})],
    "R58 DCGAN": [("dcgan", {})],
    "R59 StyleGAN2": [("stylegan2", {})],
    "R60 BigGAN": [("biggan", {"init": init}) for init in ("ortho", "n02", "xavier")],
    "R61 DDPM": [("ddpm", {})],
    "R62 ADM": [("adm", {})],
    "R63 EDM, SongUNet": [("edm", {"flavor": "song"})],
    "R64 EDM, DhariwalUNet": [("edm", {"flavor": "dhariwal"})],
    "R65 DiT": [("dit", {})],
    "R66 Flux": [("flux", {})],
    "R67 SIREN": [("siren", {"w0": 30.0})],
    "R68 NeRF": [("nerf", {"flavor": "keras"}), ("nerf", {"flavor": "torch"})],
    "R69 Mamba": [("mamba", {}), ("mamba", {"n_residuals": 2.0})],
    "R70 Mamba, Hugging Face": [("mamba", {"flavor": "hf"}), ("mamba", {"flavor": "hf", "rescale": True})],
    "R71 Mamba-2": [("mamba2", {}), ("mamba2", {"conv_bound": 0.1}), ("mamba2", {"flavor": "hf"})],
    "R72 S4D": [("s4d", {})],
    "R73 DLRM": [("dlrm", {})],
    "R74 PPO, CleanRL": [("ppo", {"flavor": "cleanrl"})],
    "R75 PPO, Stable-Baselines3": [("ppo", {"flavor": "sb3"})],
    "R76 A2C and PPO, baselines": [("a2c", {"flavor": "baselines"})],
    "R77 DDPG": [("ddpg", {"bound": 3e-3})],
    "R78 LoRA": [("lora", {}), ("lora", {"flavor": "gaussian"})],
    "R79 muP": [("mup", {"base_width": 256.0})],
    "R80 u-muP": [("mup", {"flavor": "unit"})],
}
"""Row → the calls that say it. What each of them writes is under test in test_families.py."""


def test_no_row_is_missing():
    assert [row.split()[0] for row in SURVEY] == [f"R{number:02}" for number in range(1, 81)]


@pytest.mark.parametrize("row", SURVEY)
def test_every_row_is_a_recipe(row):
    calls = [recipe(name, **options) for name, options in SURVEY[row]]
    for made in calls:
        assert made.steps
        assert Recipe.from_json(made.to_json()) == made
    laws = [tuple((rule.matching, rule.doing) for rule in made.steps) for made in calls]
    assert all(said for rules in laws for _, said in rules)


@pytest.mark.parametrize(
    "row", [row for row, calls in SURVEY.items() if len({name for name, _ in calls}) == 1 and len(calls) > 1]
)
def test_variants_of_one_recipe_differ_in_what_they_do(row):
    said = {
        tuple((rule.matching, rule.doing) for rule in recipe(name, **options).steps)
        for name, options in SURVEY[row]
    }
    assert len(said) == len(SURVEY[row])
