"""What cannot be filled: the error says where, what, why and the fix; nothing is written."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from initwise.core.errors import (
    FillError,
    InitwiseError,
    LayoutError,
    OutputError,
    StreamError,
    UnsupportedError,
)
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.frameworks.memory import fill

torch = pytest.importorskip("torch")
LAW = Fill.normal(0, 0.02)


def frozen():
    array = np.zeros(3)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("out", "error", "text"),
    [
        (
            frozen,
            OutputError,
            "w: a read-only array; expected a writable one.\n  Pass a copy, or its base array.",
        ),
        (
            lambda: torch.zeros(3).expand(4, 3),
            OutputError,
            "w: shape (4, 3) with strides (0, 1) overlaps itself; "
            "expected one place in memory for each element.\n"
            "  Likely cause: the array was made by expand or broadcast_to\n"
            "  Fill the array before it is expanded.",
        ),
        (
            lambda: np.lib.stride_tricks.as_strided(np.zeros(9), (3, 3), (16, 8)),
            OutputError,
            "w: shape (3, 3) with strides (16, 8) overlaps itself;",
        ),
        (
            lambda: torch.zeros(3, dtype=torch.int64),
            OutputError,
            "w: a tensor of int64; expected a floating-point tensor.\n"
            "  Likely cause: a quantized, integer, boolean or complex parameter\n"
            "  Known: bfloat16, float16, float32, float64.\n"
            "  Fill it in one of these and convert (complex: its real and imaginary views one by one).",
        ),
        (lambda: np.zeros(3, bool), OutputError, "w: a tensor of bool;"),
        (lambda: np.zeros(3, np.complex64), OutputError, "w: a tensor of complex64;"),
        (lambda: torch.zeros(3, dtype=torch.float8_e4m3fn), OutputError, "w: a tensor of float8_e4m3fn;"),
        (
            lambda: np.zeros(3, ">f4"),
            OutputError,
            "w: float32 of foreign byte order; expected native byte order.",
        ),
        (
            lambda: torch.zeros(3, device="meta"),
            OutputError,
            "w: a tensor on the meta device, which has no memory.\n"
            '  Give it memory first: model.to_empty(device="cpu").',
        ),
        (
            lambda: torch.eye(3).to_sparse(),
            OutputError,
            "w: a tensor of layout torch.sparse_coo; expected a dense tensor.\n"
            "  Fill it dense, then convert it.",
        ),
        (
            lambda: torch.nn.LazyLinear(3).weight,
            OutputError,
            "w: a lazy parameter without shape.\n  Run the model once on a batch, then fill it.",
        ),
        (
            lambda: [0.0],
            OutputError,
            "w: a builtins.list; expected a writable NumPy array or a torch tensor.",
        ),
    ],
    ids=lambda value: "" if callable(value) or isinstance(value, str) else value.__name__,
)
def test_outputs(out, error, text):
    with pytest.raises(error) as caught:
        fill(out(), LAW, name="w")
    assert str(caught.value).startswith(text)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantized():
    with pytest.raises(OutputError, match="w: a tensor of qint8; expected a floating-point tensor"):
        fill(torch.quantize_per_tensor(torch.zeros(3), 1.0, 0, torch.qint8), LAW, name="w")


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"name": ""}, StreamError, "name ''; expected the parameter's full name, a non-empty string."),
        ({"name": 3}, StreamError, "name 3; expected the parameter's full name, a non-empty string."),
        ({"seed": -1}, StreamError, "seed -1; expected an integer from 0 to 2**64 - 1."),
        ({"seed": 2**64}, StreamError, "seed 18446744073709551616; expected an integer from 0 to 2**64 - 1."),
        ({"seed": 1.5}, StreamError, "seed 1.5; expected"),
        ({"seed": True}, StreamError, "seed True; expected"),
        (
            {"offset": (0, 0)},
            StreamError,
            "w: offset (0, 0) without the global shape; expected both, for a shard.\n"
            "  Pass shape=, the shape of the whole tensor.",
        ),
        (
            {"shape": (4, 4), "offset": (2, 0)},
            StreamError,
            "w: axis 0 of the block covers 2 to 5, the whole tensor has 4; "
            "expected a block inside the whole tensor.\n"
            "  Likely cause: shape= is the shard's shape, or offset= counts shards instead of elements",
        ),
        (
            {"shape": (6, 4)},
            StreamError,
            "w: a block of shape (3, 4) of a tensor of shape (6, 4), without its offset; "
            "expected both, for a shard.",
        ),
        ({"shape": (9, 9), "offset": (-1, 0)}, StreamError, "w: axis 0 of the block covers -1 to 2,"),
        (
            {"shape": (12,), "offset": (0,)},
            StreamError,
            "w: a block of shape (3, 4) at offset (0,) of a tensor of shape (12,); "
            "expected the same number of axes in all three.",
        ),
        ({"shape": 12}, StreamError, "w: shape 12; expected a tuple of integers."),
        (
            {"shape": (2**40, 2**40), "offset": (0, 0)},
            StreamError,
            "w: shape (1099511627776, 1099511627776) has ",
        ),
        (
            {"fill": 0.02},
            FillError,
            "w: fill is a float; expected a Fill.\n  For example Fill.normal(0, 0.02),",
        ),
        (
            {"fill": Fill.normal(layout=Layout("oihw"))},
            LayoutError,
            'w: layout "oihw" needs 4 axes, shape is (3, 4).\n'
            "  Likely cause: the layout belongs to a layer of another kind",
        ),
    ],
    ids=str,
)
def test_arguments(arguments, error, text):
    out = np.full((3, 4), 7.0)
    given = {"fill": LAW, "name": "w", **arguments}
    with pytest.raises(error) as caught:
        fill(out, given.pop("fill"), **given)
    assert str(caught.value).startswith(text)
    assert np.all(out == 7)


@pytest.mark.parametrize(
    ("law", "text"),
    [
        (
            Fill.normal(0, 1e-9),
            "w: float16 has no numbers between 0 and 5.96e-08, N(0, 1e-09) has std 1e-09.\n"
            "  Likely cause: nearly every weight would round to the same few numbers\n"
            "  Fill a float32 or bfloat16 tensor, or choose a larger scale.",
        ),
        (Fill.constant(1e-9), "w: float16 has no numbers between 0 and 5.96e-08, the constant is 1e-09."),
        (Fill.constant(1e5), "w: float16 holds numbers up to 65504, 100000 reaches 100000."),
        (Fill.uniform(-1e5, 1e5), "w: float16 holds numbers up to 65504, U(±100000) reaches 100000."),
        (Fill.normal(0, 2e4), "w: float16 holds numbers up to 65504, N(0, 20000) reaches 136000."),
    ],
    ids=str,
)
def test_a_dtype_that_cannot_hold_the_law(law, text):
    out = np.full(3, 7, np.float16)
    with pytest.raises(FillError) as caught:
        fill(out, law, name="w")
    assert str(caught.value).startswith(text)
    assert np.all(out == 7)
    fill(np.zeros(3, np.float32), law, name="w")


def test_bounds_between_which_no_number_lies():
    law = Fill.truncated_normal(1, 1e-9, 1 + 1e-9, 1 + 2e-9)
    with pytest.raises(FillError, match="w: no float32 lies strictly between 1"):
        fill(np.zeros(3, np.float32), law, name="w")
    out = fill(np.zeros(3), law, name="w")
    assert np.all((out > 1 + 1e-9) & (out < 1 + 2e-9))


def test_a_bad_part_leaves_the_good_ones_unwritten():
    out = np.full((4, 4), 7, np.float16)
    layout = Layout("oi", parts=(("good", 2), ("bad", 2)))
    law = Fill.packed([("good", 2, LAW), ("bad", 2, Fill.constant(1e6))], layout=layout)
    with pytest.raises(FillError, match="w#bad: float16 holds numbers up to 65504"):
        fill(out, law, name="w")
    assert np.all(out == 7)


def test_every_error_is_one_of_ours():
    assert issubclass(UnsupportedError, InitwiseError)


@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0, 2)])
def test_empty_tensors_are_no_ops(shape):
    assert fill(np.zeros(shape), LAW, name="w").shape == shape
    assert fill(torch.zeros(shape), LAW, name="w").shape == shape


def test_zero_dimensional():
    scalar = fill(np.zeros(()), LAW, name="w")
    assert scalar[()] == fill(np.zeros(5), LAW, name="w")[0]
    assert fill(torch.zeros(()), LAW, name="w").item() == np.float32(
        fill(np.zeros((), np.float32), LAW, name="w")
    )


def test_interrupt_leaves_a_healthy_process(tmp_path):
    """Ctrl-C during a large fill: KeyboardInterrupt at once, and the next fill is right."""
    script = tmp_path / "interrupt.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, threading, time
            import numpy as np
            from initwise.core.fill import Fill
            from initwise.random import fill_array

            # a job in the background of a shell inherits an ignored SIGINT
            signal.signal(signal.SIGINT, signal.default_int_handler)
            law = Fill.normal()
            fill_array(np.zeros(10, np.float32), law, name="w")
            big = np.zeros(1 << 27, np.float32)
            threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            interrupted = False
            try:
                for _ in range(200):
                    fill_array(big, law, name="big")
            except KeyboardInterrupt:
                interrupted = True
            assert interrupted
            before = big.copy()
            time.sleep(0.1)
            assert np.array_equal(big, before)  # nobody writes any more
            small = fill_array(np.zeros(1 << 20, np.float32), law, name="big")
            again = fill_array(np.zeros(1 << 20, np.float32), law, name="big")
            assert np.array_equal(small, again)
            print("healthy")
            """
        )
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "healthy", done.stderr
