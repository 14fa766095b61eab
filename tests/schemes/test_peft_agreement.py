"""The numbers that PEFT itself writes."""

import copy

import numpy as np
import peft
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from peft.tuners.lora.config import CordaConfig
from peft.tuners.lora.corda import preprocess_corda
from peft.tuners.lora.loraga import preprocess_loraga
from torch import nn

import initwise
from initwise import scheme
from initwise.schemes import Data

INPUTS = torch.randn(96, 24, generator=torch.Generator().manual_seed(2))
TARGETS = torch.randint(0, 12, (96,), generator=torch.Generator().manual_seed(3))


def loss(output):
    return F.cross_entropy(output, TARGETS)


class TestAgainstPEFT:
    """The numbers PEFT itself writes: products, which no sign of a singular vector changes."""

    def model(self, method, **options):
        torch.manual_seed(5)
        plain = nn.Sequential(nn.Linear(24, 32), nn.Tanh(), nn.Linear(32, 12))
        config = peft.LoraConfig(
            r=4, lora_alpha=8, target_modules=["0", "2"], init_lora_weights=method, **options
        )
        return plain, config

    def ours(self, plain, name, rslora=False, example=INPUTS, **options):
        config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["0", "2"], use_rslora=rslora)
        model = peft.get_peft_model(copy.deepcopy(plain), config)
        initwise.init_(model, scheme(name, **options), example=example, data=Data(loss=loss))
        return model

    def layers(self, model):
        found = [m for m in model.modules() if hasattr(m, "lora_A") and len(m.lora_A)]
        return [
            (
                m.lora_A["default"].weight.detach(),
                m.lora_B["default"].weight.detach(),
                m.base_layer.weight.detach(),
            )
            for m in found
        ]

    def agree(self, one, other, tolerance):
        for (a, b, base), (a2, b2, base2) in zip(self.layers(one), self.layers(other), strict=True):
            np.testing.assert_allclose(b @ a, b2 @ a2, atol=tolerance)
            np.testing.assert_allclose(base, base2, atol=tolerance)
            np.testing.assert_allclose(a.norm(dim=1), a2.norm(dim=1), rtol=1e-3)
            np.testing.assert_allclose(b.norm(dim=0), b2.norm(dim=0), rtol=1e-3, atol=1e-7)

    @pytest.mark.parametrize("method", ["pissa", "olora", "mica"])
    @pytest.mark.parametrize("rslora", [False, True])
    def test_from_values(self, method, rslora):
        plain, config = self.model(method, use_rslora=rslora)
        theirs = peft.get_peft_model(copy.deepcopy(plain), config)
        self.agree(self.ours(plain, method, rslora), theirs, 2e-6)

    @pytest.mark.parametrize("method", ["ipm", "kpm"])
    def test_corda(self, method):
        plain, config = self.model("corda", corda_config=CordaConfig(corda_method=method))
        theirs = copy.deepcopy(plain)
        preprocess_corda(theirs, config, run_model=lambda: theirs(INPUTS))
        self.agree(self.ours(plain, "corda", method=method), peft.get_peft_model(theirs, config), 2e-4)

    @pytest.mark.parametrize("whiten", [False, True])
    def test_eva(self, whiten):
        plain, config = self.model("eva", eva_config=peft.EvaConfig(rho=1.0, whiten=whiten))
        theirs = peft.get_peft_model(copy.deepcopy(plain), config)
        # PEFT's incremental SVD is randomised: exact only where directions differ in size
        decaying = INPUTS * 0.5 ** torch.arange(24)
        batches = [{"input": decaying}] * 3
        peft.initialize_lora_eva_weights(
            theirs,
            batches,
            forward_fn=lambda model, batch: model(batch["input"]),
            prepare_model_inputs_fn=None,
            prepare_layer_inputs_fn=None,
            show_progress_bar=False,
        )
        mine = self.ours(plain, "eva", example=decaying, whiten=whiten)
        for (a, b, _), (a2, b2, _) in zip(self.layers(mine), self.layers(theirs), strict=True):
            assert not b.any()
            assert not b2.any()
            alike = (F.normalize(a) @ F.normalize(a2).T).abs()
            np.testing.assert_allclose(alike, np.eye(4), atol=2e-3)

    @pytest.mark.parametrize("direction", ["ArB2r", "A2rBr", "ArBr"])
    @pytest.mark.parametrize("scaling", ["stable", "weight_svd", "gd_scale", "unit"])
    def test_lora_ga(self, direction, scaling):
        ga = peft.LoraGAConfig(direction=direction, scale=scaling, stable_gamma=16)
        plain, config = self.model("lora_ga", lora_ga_config=ga)
        theirs = copy.deepcopy(plain)
        preprocess_loraga(theirs, config, train_step=lambda: loss(theirs(INPUTS)).backward())
        theirs = peft.get_peft_model(theirs, config)
        ours = self.ours(plain, "lora_ga", direction=direction, scaling=scaling)
        for (a, b, base), (a2, b2, base2) in zip(self.layers(ours), self.layers(theirs), strict=True):
            # which singular vectors of two layers of b and a meet has signs that nothing fixes
            np.testing.assert_allclose(a, a2 * (a * a2).sum(1, keepdim=True).sign(), atol=2e-4)
            turned = b2 * (b * b2).sum(0, keepdim=True).sign()
            if scaling == "weight_svd":  # its randomised SVD of q = r finds too small a first singular value
                ratio = float(b.norm() / b2.norm())
                assert 1 <= ratio < 1.1
                turned = turned * ratio
            np.testing.assert_allclose(b, turned, atol=1e-3 * float(b.abs().max()))
            np.testing.assert_allclose(base + 2 * b @ a, base2 + 2 * b2 @ a2, atol=1e-6)
