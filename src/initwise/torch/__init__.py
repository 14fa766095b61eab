"""For torch: `from initwise.torch import init` is a drop-in for `torch.nn.init`.

init.py           the functions
laws.py           their arguments → Fill; fans and gains as torch counts them
drawing.py        a seed from the generator, and the values into the tensor
sharded.py        the same for a DTensor's local shard
captured.py       the same inside torch.compile
constructors.py   `drop_in`, `no_init`: what torch.nn's constructors call
"""

from ..core.errors import MissingError

try:
    from . import init
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingError(
        "torch is not installed",
        where="initwise.torch",
        fix='Install it: pip install "initwise[torch]" (or pip install torch).',
    ) from error

__all__ = ["init"]
