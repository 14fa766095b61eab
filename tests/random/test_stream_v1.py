"""The specification is enough: a slow implementation from docs/stream-v1.md alone agrees with its vectors,
and so do the reference and the kernels. And it is frozen: the vectors' file may not change.

Nothing in the first half of this file uses initwise.
"""

import hashlib
import json
import math
import struct
from pathlib import Path

import mpmath
import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs"
VECTORS = json.loads((DOCS / "stream-v1.json").read_text(encoding="utf-8"))
FROZEN = "d1fa22280441f1ca5350e85d14ebcc320c74b9c969d91a7c29aab03fb4b972ab"
MASK = 0xFFFFFFFF


# a reader of the specification -------------------------------------------------------------------


def f32(x):
    """Sums, products, quotients and roots of float32 numbers, made in double, round like single ones."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def signed(word):
    return word - 2**32 if word >> 31 else word


def stream_id(name):
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8"), digest_size=8).digest(), "little")


def philox(x0, x1, x2, x3, k0, k1):
    for _ in range(10):
        p0, p1 = 0xD2511F53 * x0, 0xCD9E8D57 * x2
        x0, x1, x2, x3 = (p1 >> 32) ^ x1 ^ k0, p1 & MASK, (p0 >> 32) ^ x3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return x0, x1, x2, x3


def words_of(seed, name, e):
    ident, block = stream_id(name), 16 * (e >> 6) + (e & 15)
    words = philox(block & MASK, block >> 32, ident & MASK, ident >> 32, seed & MASK, seed >> 32)
    return words, (e >> 4) & 3


LOGARITHM = (
    2.0, 0.9999874830245972, 0.6673240065574646, 0.48687487840652466, 0.5290951728820801,
    -0.36314329504966736, 2.4100277423858643, -3.260423421859741, 2.815913438796997,
)  # fmt: skip
SINE = (0.7853981852531433, -0.08074543625116348, 0.0024900068528950214, -3.595429006963968e-05)
COSINE = (1.0, -0.3084242641925812, 0.01584991067647934, -0.0003188774862792343)
HALF_NORMAL = (
    1.0, 0.6831362843513489, -1.3614447116851807, 0.24040907621383667, 2.6260085105895996, -4.356037139892578,
    0.7562089562416077, 7.2743000984191895, -11.87231731414795, 8.328055381774902, -2.328705310821533,
)  # fmt: skip
TWICE_LN2 = 1.3862943649291992


def estrin(x, terms):
    terms = list(terms)
    while len(terms) > 1:
        joined = [f32(terms[k] + f32(terms[k + 1] * x)) for k in range(0, len(terms) - 1, 2)]
        terms = joined + ([terms[-1]] if len(terms) % 2 else [])
        x = f32(x * x)
    return terms[0]


def log2x(f, direct):
    if direct:
        h, x = 0, f
    else:
        m, exponent = math.frexp(f)
        h, x = -exponent, f32(1 - m)
    return f32(f32(h * TWICE_LN2) + f32(x * estrin(x, LOGARITHM)))


def uniform(words, j, _):
    return ((signed(words[j]) >> 7) | 1) * 2.0**-24


def normal(words, j, _):
    w, a = words[j & 2], words[j | 1]
    direct = w < 2**31
    k = w if direct else MASK - w
    r = f32(math.sqrt(log2x(f32(f32(f32(k) + 0.5) * 2.0**-32), direct)))
    t = f32(signed((a << 2 & MASK) | 2)) * 2.0**-31
    q = f32(t * t)
    short, long = f32(f32(estrin(q, SINE) * t) * r), f32(estrin(q, COSINE) * r)
    long = -long if a >> 31 else long
    pair = (short, long) if a >> 30 & 1 else (long, short)
    return pair[j & 1]


def truncated_normal(words, j, numbers):
    w = words[j]
    minor = w < numbers["split"]
    out = numbers["split"] - 1 - w if minor else w - numbers["split"]
    side = numbers["minor" if minor else "major"]
    direct = out <= side["near"]
    k = out if direct else side["last"] - out
    f = f32(f32(f32(k) + 0.5) * f32(side["step"]))
    f = f if direct else f32(f + f32(side["floor"]))
    tau = log2x(f, direct)
    d = f32(f32(numbers["hazard"]) + f32(math.sqrt(f32(f32(numbers["hazard_squared"]) + tau))))
    e = f32(tau + f32(d * 3))
    q = f32(1 / f32(d * e))
    z = f32(estrin(f32(f32(tau * d) * q), numbers["coefficients"]) * f32(f32(tau * e) * q))
    return -z if minor else z


def step_inside(bound, real, up, closed):
    """The number of type `real` nearest to the bound that lies within."""
    kind = np.float64 if real is float else np.float32
    number = kind(bound)
    beyond = float(number) < bound if up else float(number) > bound
    if beyond or (float(number) == bound and not closed):
        number = np.nextafter(number, kind(math.inf if up else -math.inf))
    return float(number)


def weight(law, numbers, parameters, z, dtype):
    """The bits of the weight, as hexadecimal digits."""
    real = float if dtype == "float64" else f32
    if law == "constant":
        x = parameters["value"]
    else:
        x = real(real(real(numbers["scale"]) * z) + real(numbers["location"]))
    if law in ("uniform", "truncated_normal"):
        low, high = parameters["low"], parameters["high"]
        if math.isfinite(low):
            x = max(x, step_inside(low, real, True, law == "uniform"))
        if math.isfinite(high):
            x = min(x, step_inside(high, real, False, False))
    if dtype == "bfloat16":
        return bfloat16(x)
    return struct.pack({"float64": ">d", "float32": ">f", "float16": ">e"}[dtype], x).hex()


def bfloat16(x):
    """The nearest of the two bfloat16 numbers around x; a tie goes to the even one."""
    bits = struct.unpack("<I", struct.pack("<f", x))[0] >> 16
    best = min(
        range(max(bits - 1, 0), min(bits + 2, 0xFFFF)),
        key=lambda b: (abs(struct.unpack("<f", struct.pack("<I", b << 16))[0] - x), b & 1),
    )
    return f"{best:04x}"


def simple_numbers(law, p):
    if law == "normal":
        return {"location": p["mean"], "scale": p["std"]}
    return {"location": p["low"] + (p["high"] - p["low"]) / 2, "scale": p["high"] / 2 - p["low"] / 2}


def numbers_of_truncation(p):
    """Section 4, with mpmath instead of decimal."""
    mpmath.mp.dps = 60
    exact = mpmath.mpf
    mean, std = exact(p["mean"]), exact(p["std"])
    alpha, beta = (exact(p["low"]) - mean) / std, (exact(p["high"]) - mean) / std

    def survival(x):
        return mpmath.erfc(x / mpmath.sqrt(2)) / 2

    def hazard(x):
        return mpmath.npdf(x) / survival(x)

    def side(n, floor):
        if n == 0:
            return {"last": 0, "near": 0, "step": 0.0, "floor": 0.0}
        mass = 1 - floor
        near = n if 2 * mass <= 1 else int(mpmath.floor(n / (2 * mass)))
        return {"last": n - 1, "near": max(near, 1) - 1, "step": float(mass / n), "floor": float(floor)}

    if alpha <= 0 <= beta:
        major, minor = (exact("0.5") - survival(end(-alpha, beta)) for end in (max, min))
        split = int(mpmath.nint(2**32 * minor / (minor + major)))
        lam, coefficients = hazard(0), HALF_NORMAL
        location, sign = p["mean"], 1 if beta >= -alpha else -1
        sides = {"major": side(2**32 - split, 1 - 2 * major), "minor": side(split, 1 - 2 * minor)}
    else:
        a, b = (alpha, beta) if alpha > 0 else (-beta, -alpha)
        location, sign = (p["low"], 1) if alpha > 0 else (p["high"], -1)
        split, lam, coefficients = 0, hazard(a), quantile(a, survival)
        one = side(2**32, survival(b) / survival(a))
        sides = {"major": one, "minor": one}
    return {
        "location": location, "scale": sign * p["std"], "split": split, **sides, "hazard": float(lam),
        "hazard_squared": float(lam**2), "coefficients": coefficients,
    }  # fmt: skip


def quantile(a, survival):
    lam = mpmath.npdf(a) / survival(a)

    def y_of(tau):
        return 2 * tau / (lam + mpmath.sqrt(lam**2 + 2 * tau))

    top = y_of(23) / (y_of(23) + 3)
    nodes = [top / 2 + top / 2 * mpmath.cos(mpmath.pi * (2 * k + 1) / 22) for k in range(11)]
    values = []
    for s in nodes:
        y = 3 * s / (1 - s)
        target = mpmath.log(survival(a)) - y * (lam + y / 2)
        t = mpmath.findroot(lambda t, target=target: mpmath.log(survival(a + t)) - target, y)
        values.append(t / y)
    system = mpmath.matrix([[s**k for k in range(11)] for s in nodes])
    return tuple(f32(float(c)) for c in mpmath.lu_solve(system, mpmath.matrix(values)))


# the vectors ---------------------------------------------------------------------------------------


def parameters_of(entry):
    return {name: float(text) for name, text in entry["parameters"].items()}


LAWS = [pytest.param(entry, id=f"{entry['law']} {entry['parameters']}") for entry in VECTORS["laws"]]
VARIATE = {"uniform": uniform, "normal": normal, "truncated_normal": truncated_normal}


def test_the_vectors_are_frozen():
    text = (DOCS / "stream-v1.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == FROZEN, "stream v1 never changes: a change is a v2, by name"


def test_philox_and_names():
    for case in VECTORS["philox"]:
        counter, key = ([int(word, 16) for word in case[part]] for part in ("counter", "key"))
        assert [f"{word:08x}" for word in philox(*counter, *key)] == case["words"]
    for case in VECTORS["streams"]:
        assert str(stream_id(case["name"])) == case["id"]


def test_constants_are_those_of_the_document():
    document = (DOCS / "stream-v1.md").read_text(encoding="utf-8")
    for name, mine in (
        ("LOGARITHM", LOGARITHM),
        ("SINE", SINE),
        ("COSINE", COSINE),
        ("HALF_NORMAL", HALF_NORMAL),
    ):
        assert tuple(VECTORS["constants"][name]) == mine
        assert f"| {name} | {', '.join(repr(value) for value in mine)} |" in document


@pytest.mark.parametrize("entry", [p for p in LAWS if "numbers" in p.values[0]])
def test_numbers_of_truncated_normals(entry):
    mine, given = numbers_of_truncation(parameters_of(entry)), entry["numbers"]
    assert {**mine, "coefficients": list(mine["coefficients"])} == given


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("entry", LAWS)
def test_a_reader_of_the_document_agrees(entry, dtype):
    law, parameters = entry["law"], parameters_of(entry)
    numbers = entry.get("numbers") or (simple_numbers(law, parameters) if law != "constant" else None)
    for case in entry["cases"]:
        for text, bits in zip(case["elements"], case[dtype], strict=True):
            z = 0.0
            if law != "constant":
                words, j = words_of(int(case["seed"]), case["name"], int(text))
                z = VARIATE[law](words, j, numbers)
            assert weight(law, numbers, parameters, z, dtype) == bits, (case["seed"], text)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("entry", LAWS)
def test_the_kernels_agree(entry, dtype):
    """One element at a time, from a shard of one element of a tensor of 2⁶³."""
    from initwise.core.fill import Fill
    from initwise.random import fill_array

    fill = getattr(Fill, entry["law"])(**parameters_of(entry))
    for case in entry["cases"]:
        for text, bits in zip(case["elements"], case[dtype], strict=True):
            out = np.zeros(1, np.uint16 if dtype == "bfloat16" else dtype)
            fill_array(
                out,
                fill,
                name=case["name"],
                seed=int(case["seed"]),
                shape=(2**63,),
                offset=(int(text),),
                dtype=dtype,
            )
            assert f"{int(out.view(f'u{out.itemsize}')[0]):0{2 * out.itemsize}x}" == bits


@pytest.mark.parametrize("case", VECTORS["orders"], ids=lambda case: case["layout"])
def test_order_of_elements(case):
    """By the document: count row by row after moving the axes to b, v, o, i, spatial."""
    axes, shape = case["layout"], case["shape"]
    order = sorted(range(len(axes)), key=lambda k: ("bvoi".find(axes[k]) if axes[k] in "bvoi" else 4, k))
    for place, element in enumerate(case["elements"]):
        index = [place // math.prod(shape[k + 1 :]) % shape[k] for k in range(len(shape))]
        number = 0
        for axis in order:
            number = number * shape[axis] + index[axis]
        assert number == element


def test_packed_parts():
    case = VECTORS["packed"]
    found = []
    for name, size in case["parts"]:
        for e in range(size * 3):
            z = normal(*words_of(int(case["seed"]), f"{case['name']}#{name}", e), None)
            found.append(weight("normal", {"location": 0.0, "scale": 0.5}, {}, z, "float32"))
    assert found == case["float32"]


@pytest.mark.parametrize("case", VECTORS["matrices"], ids=lambda case: f"{case['law']} {case['layout']}")
def test_matrices_by_the_document(case):
    axes, shape = case["layout"], case["shape"]
    batch = shape[0] if "b" in axes else 1
    rows, columns = shape[axes.index("o")], shape[axes.index("i")]
    long, short = max(rows, columns), min(rows, columns)
    for p in range(batch):
        x = np.array(
            [
                [
                    normal(*words_of(int(case["seed"]), "matrix", p * long * short + i * short + k), None)
                    for k in range(short)
                ]
                for i in range(long)
            ]
        )
        q, signs = np.eye(long, short), np.ones(short)
        for k in reversed(range(short)):
            v = np.zeros(long)
            v[k:] = x[k:, k]
            signs[k] = -math.copysign(1, v[k])
            v[k] += math.copysign(np.linalg.norm(x[k:, k]), v[k])
            q -= np.outer(v, v @ q) * 2 / (v @ v)
        q = q * signs * case["gain"]
        mine = q if rows >= columns else q.T
        given = np.array(case["values"]).reshape(shape)
        given = given[p] if "b" in axes else given
        if case["law"] == "delta_orthogonal":
            assert not given[..., [0, 2]].any()
            given = given[..., 1]
        np.testing.assert_allclose(given, mine, atol=case["tolerance"])


def test_the_vectors_are_what_the_library_writes():
    """Guards against an edit of both files: every law's bits, made again."""
    from initwise.core.fill import Fill
    from initwise.core.stream import Stream
    from initwise.random import reference
    from initwise.random.draw import draw_of

    for entry in VECTORS["laws"]:
        draw = draw_of(getattr(Fill, entry["law"])(**parameters_of(entry)))
        for case in entry["cases"]:
            element = np.array([int(text) for text in case["elements"]], np.uint64)
            values = reference.values(Stream(int(case["seed"]), case["name"]), draw, element, "float32")
            assert [f"{bits:08x}" for bits in values.view(np.uint32)] == case["float32"]
