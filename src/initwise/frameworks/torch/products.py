"""Linear operations of torch as one thing: which axes of which operand meet, and which make the result.

Every operation is written like an einsum: a label for each axis of each operand, and the labels that the
result keeps. Labels that two operands share are multiplied place by place, those the result lacks are summed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

from torch import Tensor

from .recorder import Call

Labels = tuple[Hashable, ...]


@dataclass(frozen=True)
class Product:
    """A linear operation.

    Attributes:
        operands: each with the labels of its axes.
        result: the labels of the result's axes.
        added: what is added to the product within the operation, or None.
    """

    operands: tuple[tuple[Tensor, Labels], ...]
    result: Labels
    added: Tensor | None = None

    def letters(self, weight: Tensor, weights: Collection[int] = ()) -> tuple[str, ...] | None:
        """What each axis of the operand `weight` is to the map: "o", "i" or "b"; None if it is no operand
        or meets itself.

        "i": summed. "o": more results from the same inputs, or what a further weight sums. "b": another
        matrix for each place of an axis that the other operands have too; also where two of them share a
        summed axis beside the inputs: in te,teh,ehd->td the first weighs the results of the matrices e.

        Args:
            weights: ids of the operands that are parameters too.
        """
        places = [at for at, (tensor, _) in enumerate(self.operands) if tensor is weight]
        own = self.operands[places[0]][1] if len(places) == 1 else ()
        if len(places) != 1 or len(set(own)) < len(own):
            return None
        others = [self._present(at) for at in range(len(self.operands)) if at != places[0]]
        met = {label for label in own if any(label in labels for labels in others)}
        summed = {label for label in own if label not in self.result}
        given = [self._present(at) for at in range(len(self.operands)) if self._gives(at, places, weights)]
        fed = {label for label in summed if any(label in labels for labels in given)}
        mixed = {label for label in fed if sum(label in labels for labels in given) > 1}
        inputs = (fed or summed) - (mixed if mixed < fed else set())
        passed = {label for label in summed - fed if fed and label in met}
        return tuple(
            "i" if label in inputs or label in summed - fed - passed
            else "o" if label in passed or label not in met
            else "b"
            for label in own
        )  # fmt: skip

    def _present(self, at: int) -> set[Hashable]:
        """The labels of which an operand has its own places, and is not broadcast along."""
        tensor, labels = self.operands[at]
        pairs = zip(labels, tensor.shape, strict=True)
        return {label for label, size in pairs if size > 1 or label not in self._wide}

    def _gives(self, at: int, places: Sequence[int], weights: Collection[int]) -> bool:
        """Is an operand a signal?"""
        return at not in places and id(self.operands[at][0]) not in weights

    @property
    def _wide(self) -> set[Hashable]:
        """Labels of which some operand has more than one place: elsewhere they are broadcast."""
        return {
            label
            for tensor, labels in self.operands
            for label, size in zip(labels, tensor.shape, strict=True)
            if size > 1
        }

    def along(self, weight: Tensor) -> tuple[int, ...]:
        """The result's axes that `weight` makes different from each other, counted from the last."""
        own = next(labels for tensor, labels in self.operands if tensor is weight)
        wide = {label for label, size in zip(own, weight.shape, strict=True) if size > 1}
        count = len(self.result)
        return tuple(at - count for at, label in enumerate(self.result) if label in wide)


def product_of(call: Call) -> Product | None:
    """`call` as a Product; None for one that is none, or that cannot be read."""
    read = READERS.get(call.name)
    if read is None:
        return None
    try:
        return read(call)
    except (ValueError, IndexError, AttributeError, TypeError):
        return None


def _matmul(left: Tensor, right: Tensor, added: Tensor | None = None) -> Product:
    """torch.matmul: the last axes are matrices', those before are broadcast."""
    batch = max(left.dim(), right.dim()) - 2
    a = (*_batch(left.dim() - 2, batch), *(("n",) if left.dim() > 1 else ()), "k")
    b = (*_batch(right.dim() - 2, batch), "k", *(("m",) if right.dim() > 1 else ()))
    ends = (*(("n",) if left.dim() > 1 else ()), *(("m",) if right.dim() > 1 else ()))
    return Product(((left, a), (right, b)), (*_batch(batch, batch), *ends), added)


def _batch(own: int, count: int) -> Labels:
    return tuple(("batch", at) for at in range(count - max(own, 0), count))


def _two(first: str, second: str) -> Callable[[Call], Product]:
    return lambda call: _matmul(call.argument(0, first), call.argument(1, second))


def _added(first: str, second: str) -> Callable[[Call], Product]:
    return lambda call: _matmul(call.argument(1, first), call.argument(2, second), call.argument(0, "input"))


def _reversed(call: Call) -> Product:
    return _matmul(call.args[1], call.args[0])


def _addbmm(call: Call) -> Product:
    product = _matmul(call.argument(1, "batch1"), call.argument(2, "batch2"), call.argument(0, "input"))
    return Product(product.operands, ("n", "m"), product.added)


def _linear(call: Call) -> Product:
    x, weight = call.argument(0, "input"), call.argument(1, "weight")
    before = tuple(("batch", at) for at in range(x.dim() - 1))
    out = ("out",) if weight.dim() > 1 else ()
    return Product(((x, (*before, "in")), (weight, (*out, "in"))), (*before, *out), call.argument(2, "bias"))


def _inner(call: Call) -> Product:
    a, b = call.argument(0, "input"), call.argument(1, "other")
    left = tuple(("a", at) for at in range(a.dim() - 1))
    right = tuple(("b", at) for at in range(b.dim() - 1))
    return Product(((a, (*left, "k")), (b, (*right, "k"))), (*left, *right))


def _outer(call: Call) -> Product:
    a, b = call.argument(0, "input"), call.argument(1, "vec2")
    return Product(((a, ("n",)), (b, ("m",))), ("n", "m"))


def _bilinear(call: Call) -> Product:
    one, two, weight = (call.argument(at, name) for at, name in enumerate(("input1", "input2", "weight")))
    before = tuple(("batch", at) for at in range(one.dim() - 1))
    operands = ((one, (*before, "i")), (two, (*before, "j")), (weight, ("o", "i", "j")))
    return Product(operands, (*before, "o"), call.argument(3, "bias"))


def _tensordot(call: Call) -> Product:
    a, b, dims = call.argument(0, "a"), call.argument(1, "b"), call.argument(2, "dims", 2)
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        pairs = [(a.dim() - dims + at, at) for at in range(dims)]
    else:
        first, second = (part.tolist() if isinstance(part, Tensor) else part for part in dims)
        pairs = [(i % a.dim(), j % b.dim()) for i, j in zip(first, second, strict=True)]
    left: list[Hashable] = [("a", at) for at in range(a.dim())]
    right: list[Hashable] = [("b", at) for at in range(b.dim())]
    for i, j in pairs:
        right[j] = left[i]
    met = {left[i] for i, _ in pairs}
    result = tuple(label for label in (*left, *right) if label not in met)
    return Product(((a, tuple(left)), (b, tuple(right))), result)


def _chain(call: Call) -> Product:
    first = call.args[0] if call.args else call.kwargs["tensors"]
    tensors = tuple(first) if isinstance(first, (tuple, list)) else call.args
    operands = [(tensor, (("n", at), ("n", at + 1))) for at, tensor in enumerate(tensors)]
    labels = [
        labels[1:] if at == 0 and tensor.dim() == 1 else labels[: tensor.dim()]
        for at, (tensor, labels) in enumerate(operands)
    ]
    ends = [("n", 0)] * (tensors[0].dim() > 1) + [("n", len(tensors))] * (tensors[-1].dim() > 1)
    return Product(tuple(zip(tensors, labels, strict=True)), tuple(ends))


def _einsum(call: Call) -> Product:
    """torch.einsum; torch itself turns lists of numbers into an equation."""
    args = call.args
    given = args[1:]
    tensors = tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    left, arrow, right = args[0].replace(" ", "").partition("->")
    terms = left.split(",")
    wide = max(
        (
            tensor.dim() - len(term.replace("...", ""))
            for term, tensor in zip(terms, tensors, strict=True)
            if "..." in term
        ),
        default=0,
    )
    operands = tuple(
        (tensor, _spelled(term, tensor.dim() - len(term.replace("...", "")), wide))
        for term, tensor in zip(terms, tensors, strict=True)
    )
    if not arrow:
        letters = [letter for term in terms for letter in term.replace("...", "")]
        right = "..." + "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    return Product(operands, _spelled(right, wide, wide))


def _spelled(term: str, own: int, count: int) -> Labels:
    before, dots, after = term.partition("...")
    return (*before, *(_batch(own, count) if dots else ()), *after)


READERS: dict[str, Callable[[Call], Product]] = {
    "matmul": _two("input", "other"),
    "rmatmul": _reversed,
    "mm": _two("input", "mat2"),
    "bmm": _two("input", "mat2"),
    "mv": _two("input", "vec"),
    "dot": _two("input", "tensor"),
    "addmm": _added("mat1", "mat2"),
    "addmv": _added("mat", "vec"),
    "baddbmm": _added("batch1", "batch2"),
    "addbmm": _addbmm,
    "linear": _linear,
    "inner": _inner,
    "outer": _outer,
    "bilinear": _bilinear,
    "tensordot": _tensordot,
    "einsum": _einsum,
    **dict.fromkeys(("multi_dot", "linalg_multi_dot", "chain_matmul"), _chain),
}
