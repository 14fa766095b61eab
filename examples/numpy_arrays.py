"""Without a framework: arrays whose axes you declare; and one shard of a tensor nobody holds whole."""

import numpy as np

import initwise

arrays = {
    "conv": {"kernel": np.empty((3, 3, 3, 16), np.float32), "bias": np.empty(16, np.float32)},
    "head": {"kernel": np.empty((16, 10), np.float32), "bias": np.empty(10, np.float32)},
}
tree = initwise.ArrayTree(arrays, layouts={"conv.kernel": "hwio", "head.kernel": "io", "*.bias": "o"})
print(initwise.init_(tree, "he_normal", seed=0))

# A shard fills itself: it needs the global shape and its own offset, and no other shard.
law = initwise.scheme("lecun_normal").fill(initwise.fans((1000, 64), "oi"))
whole = initwise.fill(np.empty((1000, 64), np.float32), law, name="embed.weight", seed=0)
shard = initwise.fill(
    np.empty((250, 64), np.float32), law, name="embed.weight", seed=0, shape=(1000, 64), offset=(500, 0)
)
assert np.array_equal(shard, whole[500:750])
print(f"rows 500 to 750 drawn alone: the same bits, std {shard.std():.4f}")
