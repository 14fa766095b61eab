"""Structure that is easily misread: sums, products and attention in other clothes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from initwise.choose.planners import study  # noqa: E402

WIDTH = 16


class Attention(nn.Module):
    """Query, key and value as three parts of one tensor, as in many vision transformers."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).unflatten(-1, (3, -1)).movedim(-2, 0).unbind(0)
        return self.out((query @ key.transpose(1, 2)).softmax(-1) @ value)


class Feedforward(nn.Module):
    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(nn.functional.gelu(self.first(x)))


def test_query_and_key_are_seen_where_they_are_parts_of_one_tensor() -> None:
    found = study(Attention(), torch.randn(4, 5, WIDTH)).structure
    assert found["qkv.weight"].attention == "query_key_value"
    assert found["out.weight"].attention == "out"


def test_both_branches_of_a_parallel_block_are_branches() -> None:
    class Parallel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.mix, self.mlp = nn.LayerNorm(WIDTH), Attention(), Feedforward()

        def forward(self, x: Tensor) -> Tensor:
            inside = self.norm(x)
            return x + self.mix(inside) + self.mlp(inside)

    model = nn.Sequential(nn.Linear(6, WIDTH), Parallel(), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3))
    found = study(model, torch.randn(4, 5, 6)).structure
    assert found.adds == 2
    assert not found.post_norm
    assert [found[f"1.{name}.weight"].role for name in ("mix.out", "mlp.last")] == ["branch_end"] * 2
    assert found["1.mlp.first.weight"].branch_start


def test_scale_and_shift_by_parts_of_one_tensor_make_no_residual_sum() -> None:
    class Modulated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.ends = nn.Linear(WIDTH, WIDTH), nn.Linear(6, 2 * WIDTH)
            self.head = nn.Linear(WIDTH, 3)

        def forward(self, x: Tensor, given: Tensor) -> Tensor:
            scale, shift = self.ends(given).chunk(2, -1)
            return self.head(torch.relu((1 + scale) * self.inner(x) + shift))

    found = study(Modulated(), (torch.randn(8, WIDTH), torch.randn(8, 6))).structure
    assert found.adds == 0
    assert found["inner.weight"].gate == "value"
    assert found["ends.weight"].gate == "value"


def test_the_difference_from_a_mean_is_no_residual_sum() -> None:
    class Dueling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.value, self.advantage = nn.Linear(8, WIDTH), Feedforward(), Feedforward()

        def forward(self, x: Tensor) -> Tensor:
            inside = torch.relu(self.body(x))
            value, advantage = self.value(inside)[:, :1], self.advantage(inside)[:, :4]
            return value + advantage - advantage.mean(1, keepdim=True)

    found = study(Dueling(), torch.randn(8, 8)).structure
    assert found.adds == 0
    assert [found[f"{name}.last.weight"].role for name in ("value", "advantage")] == ["head"] * 2


def test_a_mean_with_softmax_weights_is_attention_and_no_gate() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.each, self.score, self.head = nn.Linear(6, WIDTH), nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 3)

        def forward(self, x: Tensor) -> Tensor:
            inside = torch.tanh(self.each(x))
            return self.head((torch.softmax(self.score(inside), 1) * inside).sum(1))

    found = study(Pooled(), torch.randn(8, 5, 6)).structure
    assert not any(weight.gate for weight in found)
    assert not found.steadied
    assert found["head.weight"].source == "attention"
    assert not found.language


def test_a_label_beside_numbers_makes_no_language_model() -> None:
    class Labelled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.label = nn.Linear(6, WIDTH), nn.Embedding(10, WIDTH)
            self.norm, self.mix, self.head = nn.LayerNorm(WIDTH), Attention(), nn.Linear(WIDTH, 6)

        def forward(self, x: Tensor, label: Tensor) -> Tensor:
            x = self.stem(x) + self.label(label)[:, None]
            return self.head(x + self.mix(self.norm(x)))

    found = study(Labelled(), (torch.randn(4, 5, 6), torch.randint(0, 10, (4,)))).structure
    assert found.embeddings == 0
    assert not found.language


def test_tokens_are_sequences_with_and_without_a_batch() -> None:
    model = nn.Sequential(
        nn.Embedding(10, WIDTH), nn.LayerNorm(WIDTH), Attention(), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)
    )
    assert study(model, torch.randint(0, 10, (4, 5))).structure.language
    assert study(model[:2], torch.randint(0, 10, (5,))).structure.embeddings == 1


def test_a_norm_within_the_branch_and_one_after_the_stage_are_no_post_norm() -> None:
    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.spread = nn.Conv1d(width, width, 3, padding=1, groups=width)
            self.norm, self.mlp = nn.LayerNorm(width), Feedforward(width)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.mlp(self.norm(self.spread(x.transpose(1, 2)).transpose(1, 2)))

    model = nn.Sequential(
        nn.Linear(6, WIDTH), Block(WIDTH), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 8), Block(8), nn.LayerNorm(8)
    )
    found = study(model, torch.randn(4, 5, 6)).structure
    assert found.adds == 2
    assert not any(weight.post_norm for weight in found)


def test_a_normed_branch_whose_sum_is_normed_and_carried_on_is_post_norm() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
            self.inner, self.outer = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.outer(x + self.last(torch.relu(self.inner(self.first(x))))))

    found = study(nn.Sequential(nn.Linear(6, WIDTH), Block(), Block(), Block()), torch.randn(8, 6)).structure
    assert found.post_norm


def test_what_is_added_to_the_input_to_make_the_output_comes_from_a_head() -> None:
    class Correction(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mlp = Feedforward()

        def forward(self, x: Tensor) -> Tensor:
            return x + self.mlp(x)

    found = study(Correction(), torch.randn(8, WIDTH)).structure
    assert found.adds == 0
    assert found["mlp.last.weight"].role == "head"


def test_a_linear_part_beside_a_deep_one_is_a_second_head() -> None:
    class WideAndDeep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.deep = (
                nn.Linear(8, 3),
                nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)),
            )

        def forward(self, x: Tensor) -> Tensor:
            return self.wide(x) + self.deep(x)

    found = study(WideAndDeep(), torch.randn(8, 8)).structure
    assert [found[name].role for name in ("wide.weight", "deep.0.weight", "deep.2.weight")] == [
        "head",
        "stem",
        "head",
    ]
