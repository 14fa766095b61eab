"""`initwise choose` on a model written without layers."""

from __future__ import annotations

BARE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w1, self.b1 = nn.Parameter(torch.empty(16, 32)), nn.Parameter(torch.empty(32))
        self.w2, self.scale = nn.Parameter(torch.empty(4, 32)), nn.Parameter(torch.ones(4))

    def forward(self, x):
        return torch.relu(x @ self.w1 + self.b1) @ self.w2.T * self.scale
"""


def test_choose_fills_what_is_used_as_weights_and_says_what_it_left(project, command):
    (project / "bare.py").write_text(BARE)
    said = command("choose", "bare.py:Net", "--example", "f32[64,16]")
    text = " ".join(said.out.split())
    assert said.code == 0
    assert "a bare parameter, used as x @ W: axes (in, out)" in text
    assert "a bare parameter, used as x @ W.T: axes (out, in)" in text
    assert "a bare parameter, added to what w1 makes" in text
    assert "scale: a bare parameter, multiplied with the signal (x * g): it stays as you have made it" in text


def test_init_writes_them_to_disk(project, command):
    (project / "bare.py").write_text(BARE)
    said = command("init", "bare.py:Net", "--example", "f32[64,16]", "--out", "weights", "--plan", "auto")
    assert said.code == 0, said.err
    assert "Filled 3 of 4" in said.out
