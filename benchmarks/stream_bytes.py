"""The stream as used, as bytes for a battery of tests: 256 interleaved tensors, 64 names × 4 seeds.

    python benchmarks/stream_bytes.py | dieharder -a -g 200

Each tensor gives 4096 elements in turn; of each element's word the 24 bits that a uniform weight shows.
"""

from __future__ import annotations

import sys

import numpy as np

from initwise.core.fill import Fill
from initwise.random import fill_array

UNIFORM, WHOLE, PIECE = Fill.uniform(-1, 1), (1 << 62,), 4096
TENSORS = [(f"layers.{k}.weight", seed) for seed in (0, 1, 2, 2**63) for k in range(64)]


def main() -> None:
    values = np.zeros((len(TENSORS), PIECE), np.float32)
    begin = 0
    try:
        while True:
            for row, (name, seed) in zip(values, TENSORS, strict=True):
                fill_array(row, UNIFORM, name=name, seed=seed, shape=WHOLE, offset=(begin,))
            bits = (values * 2.0**24).astype(np.int32) >> 1
            sys.stdout.buffer.write(bits.reshape(-1, 1).view(np.uint8)[:, :3].tobytes())
            begin += PIECE
    except BrokenPipeError:
        pass


if __name__ == "__main__":
    main()
