"""A table that is also the head: which of the two rules a model's own code leaves in it."""

import pytest
import torch
from torch import nn

import initwise


class Masked(nn.Module):
    """ModernBERT's names, with the decoder tied to the table or of its own."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"embeddings": nn.ModuleDict({"tok_embeddings": nn.Embedding(500, 64)})})
        self.model["layers"] = nn.ModuleList(self.block() for _ in range(3))
        self.decoder = nn.Linear(64, 500)
        if tied:
            self.decoder.weight = self.table.weight

    @staticmethod
    def block() -> nn.ModuleDict:
        attention = nn.ModuleDict({"Wqkv": nn.Linear(64, 192), "Wo": nn.Linear(64, 64)})
        mlp = nn.ModuleDict({"Wi": nn.Linear(64, 192), "Wo": nn.Linear(96, 64)})
        return nn.ModuleDict({"attn": attention, "mlp": mlp})

    @property
    def table(self) -> nn.Embedding:
        return self.model["embeddings"]["tok_embeddings"]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.table(x))


@pytest.mark.parametrize(("tied", "decoder"), [(True, 0.02), (False, 0.02 / 6**0.5)])
def test_modernbert_ties_after_both_are_drawn_so_the_table_is_kept(tied, decoder):
    model = Masked(tied)
    initwise.init_(model, "modernbert")
    # a normal cut at two sigmas keeps .8796 of its std
    for weight, std in ((model.table.weight, 0.02), (model.decoder.weight, decoder)):
        n = weight.numel()
        assert weight.std().item() == pytest.approx(0.8796 * std, rel=5 / (2 * n) ** 0.5)
