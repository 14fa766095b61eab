"""A pencil for drawing Graphs by hand."""

from __future__ import annotations

from initwise.core.graph import Graph, Node
from initwise.core.layout import fans
from initwise.core.parameter import ParameterInfo


class Sketch:
    """`op` and `weight` append a node and return its index."""

    def __init__(self, width: int = 8) -> None:
        self.nodes: list[Node] = []
        self.known: dict[str, ParameterInfo] = {}
        self.width = width

    def op(self, op: str, *inputs: int, label: str = "", name: str = "", role: str = "") -> int:
        names = (name,) if name else ()
        if name and name not in self.known:
            self.declare(name, role or "norm_gain")
        index = len(self.nodes)
        shape = self.nodes[inputs[0]].shape if inputs else (4, self.width)
        self.nodes.append(Node(index, op, label, inputs=inputs, parameters=names, shape=shape))
        return index

    def weight(self, name: str, source: int, *, bias: bool = True, out: int = 0) -> int:
        """A dense layer from as many inputs as `source` has to `out` (default: the width) outputs."""
        rows, columns = out or self.width, self.nodes[source].shape[-1]
        self.declare(name, "weight", shape=(rows, columns))
        names = (name,)
        if bias:
            self.declare(f"{name}.bias", "bias", layer=name)
            names = (name, f"{name}.bias")
        index = len(self.nodes)
        self.nodes.append(
            Node(index, "weight", "linear", name, inputs=(source,), parameters=names, shape=(4, rows))
        )
        return index

    def name(self, index: int, parameter: str, role: str) -> None:
        """Let node `index` use one more parameter."""
        self.declare(parameter, role)
        node = self.nodes[index]
        self.nodes[index] = Node(
            node.index,
            node.op,
            node.label,
            node.layer,
            node.inputs,
            (*node.parameters, parameter),
            node.shape,
        )

    def declare(
        self, name: str, role: str, layer: str | None = None, shape: tuple[int, int] | None = None
    ) -> None:
        size = self.width
        shape = shape or (size, size)
        matrix = role in ("weight", "recurrent", "embedding")
        known = fans(shape, "vo" if role == "embedding" else "oi") if matrix else None
        self.known.setdefault(
            name,
            ParameterInfo(
                name,
                shape if matrix else (size,),
                "float32",
                role,
                "Linear",
                name if layer is None else layer,
                layout=known.layout if known else None,
                fans=known,
            ),
        )

    @property
    def graph(self) -> Graph:
        return Graph(tuple(self.nodes))

    @property
    def infos(self) -> tuple[ParameterInfo, ...]:
        return tuple(self.known.values())
