"""Compiled kernels on disk: loaded instead of compiled, and never trusted blindly."""

import logging
import threading

import numpy as np
import pytest

from initwise.core.fill import Fill
from initwise.core.stream import Stream
from initwise.random import cache, cpu, fill_array, kernel, native, orthogonal
from initwise.random.draw import draw_of

LIVING = []
"""Engines that this file made the process forget: others may still call their code."""


def forget():
    """As if this process had compiled and loaded nothing yet."""
    LIVING.append(dict(native._engines))
    native._engines.clear()
    cpu.compiled.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("INITWISE_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def normals():
    """A few numbers, by a kernel that this process has not yet loaded."""
    forget()
    draw = draw_of(Fill.normal(0, 0.02))
    key, _keep_key = cpu.key_memory(Stream(0, "w"))
    law, _keep_law = cpu.law_memory(draw)
    out = np.zeros(1000, np.float32)
    cpu.kernel_for(draw, "float32").line(key, law, 0, out.size, out.ctypes.data)
    return out


def no_compiler(monkeypatch):
    def refuse(*_):
        raise AssertionError("compiled again")

    monkeypatch.setattr(kernel, "Kernel", refuse)


def test_a_second_process_loads_what_the_first_compiled(folder, monkeypatch):
    first = normals()
    assert len(list(folder.iterdir())) == 1
    no_compiler(monkeypatch)
    assert np.array_equal(normals(), first)
    assert first.std() > 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda code: b"",
        lambda code: code[: len(code) // 2],
        lambda code: code[:500] + bytes([code[500] ^ 1]) + code[501:],
        lambda code: b"not a kernel at all" * 100,
    ],
    ids=["empty", "cut short", "one bit", "something else"],
)
def test_a_damaged_file_is_compiled_anew_and_replaced(folder, damage, monkeypatch):
    first = normals()
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert np.array_equal(normals(), first)
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("INITWISE_CACHE", str(tmp_path / "file"))
    assert normals().std() > 0
    assert (tmp_path / "file").read_text() == "in the way"


def test_off_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("INITWISE_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert cache.file_of("any", "processor") is None
    assert normals().std() > 0
    assert not list(tmp_path.iterdir())


def test_a_file_that_others_may_write_is_not_run(folder):
    first = normals()
    (file,) = folder.iterdir()
    assert cache.load(file)
    file.chmod(0o666)
    assert cache.load(file) is None
    assert np.array_equal(normals(), first)


def test_the_code_of_another_kernel_is_not_called(folder):
    """A whole file, but without the functions that are wanted."""
    first = normals()
    (file,) = folder.iterdir()
    orthogonal._code.cache_clear()
    fill_array(np.zeros((8, 8), np.float32), Fill.matrix("orthogonal"), name="w")
    other = next(other for other in folder.iterdir() if other.name.startswith("reflectors"))
    cache.save(file, cache.load(other))
    assert np.array_equal(normals(), first)


def test_a_home_folder_is_found_and_a_relative_one_is_made_absolute(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("INITWISE_CACHE", "~/kernels")
    assert cache.file_of("a", "b").parent == tmp_path / "kernels"
    monkeypatch.setenv("INITWISE_CACHE", "here")
    assert cache.file_of("a", "b").is_absolute()


def test_without_our_sources_nothing_is_kept(folder, monkeypatch):
    """As in a frozen application: old code could not be told from new."""
    cache._sources.cache_clear()
    monkeypatch.setattr(cache, "SOURCES", ("kernel", "no_such_module"))
    assert cache.file_of("a", "b") is None
    cache._sources.cache_clear()


def test_another_processor_or_kernel_has_another_file(folder):
    files = {cache.file_of(name, chip) for name in ("a", "b") for chip in ("x", "y")}
    assert len(files) == 4
    assert all(file.parent == folder for file in files)


def test_every_module_that_writes_code_is_in_the_files_name():
    """Else old code would be loaded after a change."""
    here = cache.Path(cache.__file__).parent
    writers = {
        path.stem for path in here.glob("*.py") if "from llvmlite import ir" in path.read_text("utf-8")
    }
    assert writers <= set(cache.SOURCES)
    assert all((here / f"{name}.py").exists() for name in cache.SOURCES)


@pytest.mark.parametrize("kept", ["off", "kernels"])
def test_many_threads_compile_once(tmp_path, kept, monkeypatch):
    monkeypatch.setenv("INITWISE_CACHE", kept if kept == "off" else str(tmp_path / kept))
    forget()
    made, real = [], kernel.Kernel

    def counted(*arguments):
        made.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(kernel, "Kernel", counted)
    monkeypatch.setattr(cpu, "compiled", cpu.compiled.__wrapped__)
    draw = draw_of(Fill.uniform(-0.1, 0.1))
    threads = [threading.Thread(target=cpu.kernel_for, args=(draw, "float32")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_slow_compilation_is_said(monkeypatch, caplog):
    monkeypatch.setattr(native, "PATIENCE", 0.0)
    with caplog.at_level(logging.WARNING, "initwise"), native._said("normal float32", "it is kept"):
        threading.Event().wait(0.3)
    assert "compiles its normal float32 kernel" in caplog.text


def test_a_quick_one_is_not(caplog):
    with caplog.at_level(logging.WARNING, "initwise"), native._said("normal float32"):
        pass
    assert caplog.text == ""
