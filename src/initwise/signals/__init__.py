"""signals: one forward and backward of a torch model under hooks, read into rows, and what the rows mean.

Two rooms use it: `measure` reads real tensors, `predict` moments. What they read with is a `Gauge`.

passing.py    the pass: forward, backward, Readings;  watch.py  hooks and functions on the way
gauge.py      how a tensor is read;  scalars.py  numbers, brought to the host all at once
roles.py      which modules get a row;  ends.py  where the backward pass starts
reading.py    the raw numbers of a row
judging.py    what they mean;  verdicts.py  by which rules: pure functions, all thresholds
"""
