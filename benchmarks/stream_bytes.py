"""The stream's words as bytes for a battery of tests, all 32 bits of each, without end.

    python benchmarks/stream_bytes.py | dieharder -a -k 2 -Y 1 -g 200
    python benchmarks/stream_bytes.py --order names --reversed | ...

`--order` says who takes turns (see stream_words.py); `--rounds` below 10 weakens Philox, as a control.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import stat
import sys

import stream_words


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--order", choices=stream_words.ORDERS, default="both")
    parser.add_argument("--rounds", type=int, default=stream_words.ROUNDS)
    parser.add_argument("--reversed", action="store_true", help="each word's lowest bit first")
    parser.add_argument("--begin", type=int, default=0, help="skip so many pieces of 2²⁰ words")
    given = parser.parse_args()
    if hasattr(fcntl, "F_SETPIPE_SZ") and stat.S_ISFIFO(os.fstat(1).st_mode):
        fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)
    try:
        for words in stream_words.interleaved(given.order, given.rounds, given.begin):
            if given.reversed:
                stream_words.reverse_bits(words)
            sys.stdout.buffer.write(words.data)
    except BrokenPipeError:
        pass


if __name__ == "__main__":
    main()
