"""LLVM code → machine code of this processor: compiled once, kept on disk (`cache.py`), loaded afterwards."""

# mypy: disable-error-code="no-untyped-call, no-any-return, import-untyped"
from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from . import cache

PATIENCE = 1.0
"""Seconds of compiling after which we say what takes so long."""
_lock = threading.Lock()
_engines: dict[str, Any] = {}
"""Compiled code lives as long as the process, and each module is compiled once in it."""


def _after_fork() -> None:
    """Whoever held the lock does not exist in the child."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def functions(name: str, make: Callable[[], Any], wanted: tuple[str, ...]) -> tuple[int, ...]:
    """Addresses of the functions `wanted` of the module that `make` returns.

    Args:
        name: of the module: what, besides the sources and the processor, decides its code.
        make: returns the module (llvmlite.ir); called only if its code is not yet on disk.
    """
    with _lock:
        if name not in _engines:
            _engines[name] = _engine(name, make, wanted)
        return _addresses(_engines[name], wanted)


def _engine(name: str, make: Callable[[], Any], wanted: tuple[str, ...]) -> Any:
    file = cache.file_of(name, processor())
    code = cache.load(file)
    engine = None if code is None else _loaded(code)
    if engine is not None and all(_addresses(engine, wanted)):
        return engine
    with _said(name, "it is kept for later runs" if file else "nothing is kept: INITWISE_CACHE"):
        return _compiled(make(), lambda fresh: cache.save(file, fresh))


def _addresses(engine: Any, wanted: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(engine.get_function_address(each) for each in wanted)


@functools.cache
def features() -> dict[str, bool]:
    """What this processor can do, by LLVM's names."""
    return dict(llvm.get_host_cpu_features())


def processor_family() -> str:
    """The first word of LLVM's name for this kind of machine: "x86_64", "aarch64" …"""
    return str(llvm.get_process_triple()).partition("-")[0]


@functools.cache
def processor() -> str:
    """All of the machine and of LLVM that the compiled code depends on."""
    has = ",".join(sorted(name for name, here in features().items() if here))
    version = f"{llvmlite.__version__} {llvm.llvm_version_info}"
    return f"{version} {llvm.get_process_triple()} {llvm.get_host_cpu_name()} {has}"


def _compiled(module: Any, keep: Callable[[bytes], None]) -> Any:
    module.triple = llvm.get_process_triple()
    engine = _jit(llvm.parse_assembly(str(module)))
    engine.set_object_cache(notify_func=lambda _, code: keep(code))
    engine.finalize_object()
    return engine


def _loaded(code: bytes) -> Any:
    """LLVM asks for the code of an empty module, and is given what was kept."""
    empty = llvm.parse_assembly(f'target triple = "{llvm.get_process_triple()}"')
    engine = _jit(empty)
    engine.set_object_cache(getbuffer_func=lambda _: code)
    engine.finalize_object()
    return engine


def _jit(module: Any) -> Any:
    # lmm: code and constants in one piece of memory, as the small code model needs them
    return llvm.create_mcjit_compiler(module, _machine(), use_lmm=True)


def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        jit=True,
        codemodel="small",  # constants beside the code: the large model loads an address for each
    )


@contextmanager
def _said(name: str, after: str = "") -> Iterator[None]:
    """Say what is going on if it takes long, as on a slow or busy machine."""
    say = threading.Timer(
        PATIENCE,
        logging.getLogger("initwise").warning,
        ("initwise compiles its %s kernel for this processor; %s", name, after),
    )
    say.daemon = True
    say.start()
    try:
        yield
    finally:
        say.cancel()
