"""Wherever a race runs, it gives the same bits; and what goes wrong with one arm stays with that arm."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from torch import nn

from initwise.core.errors import OptionError, ProblemError
from initwise.core.records import Race
from initwise.race import Workers, race, workers

HERE = Path(__file__).parent


@pytest.fixture
def toys(monkeypatch):
    """The module `problems_to_race`, which other processes can import too."""
    monkeypatch.syspath_prepend(str(HERE))
    path = os.pathsep.join([str(HERE), *sys.path])
    monkeypatch.setenv("PYTHONPATH", path)
    import problems_to_race

    return problems_to_race


def run(problem, candidates=("zeros", "he_normal", "xavier_uniform"), **options):
    return race(problem, candidates=candidates, **{"budget": 0.4, "progress": False, **options})


def timeless(result: Race) -> str:
    return replace(result, seconds=0.0).to_json()


def ended(result, name="zeros"):
    return {(arm.status, arm.error) for arm in result.arms if arm.scheme == name}


SHORT = {"candidates": ("zeros", "he_normal"), "lrs": 0.01, "budget": 1, "seeds": 1}
"""One training of each of two."""


def test_a_hanging_arm_is_stopped_and_recorded(toys):
    result = run(toys.points(partial(toys.odd, toys.Hangs)), timeout=10, **SHORT)
    assert ended(result) == {("failed", "TimeoutError: not done within 10 s")}
    assert result.winner == "he_normal"
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_an_arm_that_calls_exit_is_recorded(toys):
    result = run(toys.points(partial(toys.odd, toys.Leaves)), **SHORT)
    assert ended(result) == {("failed", "SystemExit: 3")}
    assert result.winner == "he_normal"


def test_processes_that_die_or_run_out_of_memory_take_only_their_arm_with_them(toys):
    with Workers(1, memory=2**31) as pool:
        dead = run(toys.points(partial(toys.odd, toys.Dies)), executor=pool, **SHORT)
        assert ended(dead) == {("failed", "the process died of SIGKILL: out of memory, most often")}
        assert dead.winner == "he_normal"
        full = run(toys.points(partial(toys.odd, toys.Hoards)), executor=pool, **SHORT)
        ((status, error),) = ended(full)
        assert (status, full.winner) == ("failed", "he_normal")
        assert "memory" in error
        fine = run(toys.points(), executor=pool)
    assert timeless(fine) == timeless(run(toys.points()))


def test_a_call_that_hangs_where_python_cannot_be_interrupted_ends_with_its_process(monkeypatch):
    monkeypatch.setattr(workers, "GRACE", 0.5)
    with Workers(1) as pool:
        with pytest.raises(TimeoutError, match=r"not done within 0\.5 s"):
            pool.submit_within(0.5, time.sleep, 600).result()
        assert pool.submit(abs, -3).result() == 3


def test_a_pool_that_breaks_loses_no_arm_but_the_one_to_blame(toys):
    problem = toys.points(partial(toys.odd, toys.Dies))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        result = run(problem, executor=pool, **SHORT)
    assert ended(result) == {("failed", "the process died of SIGKILL: out of memory, most often")}
    assert ended(result, "he_normal") == {("finished", "")}


def test_a_dask_cluster_gives_the_same_race_though_one_of_its_workers_is_killed(toys):
    distributed = pytest.importorskip("distributed")
    killed = []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, protocol="tcp"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = client.run(os.getpid)
        assert len(set(pids.values())) == 2

        def kill_one(done, total, text):
            if done and not killed:
                killed.append(next(iter(pids.values())))
                os.kill(killed[0], signal.SIGKILL)

        result = run(toys.points(), executor=client.get_executor(), progress=kill_one)
    assert killed
    assert timeless(result) == timeless(run(toys.points()))


SCRIPT = """
import sys
from problems_to_race import NAMES, points
from initwise.race import race

if __name__ == "__main__":
    print(race(points(), candidates=NAMES, budget=0.4, store=sys.argv[1], progress=False).to_json())
"""


def rows(path):
    if not path.exists():
        return set()
    with sqlite3.connect(path, timeout=30) as connection:
        try:
            return set(connection.execute("SELECT key, outcome FROM trainings"))
        except sqlite3.OperationalError:
            return set()


def test_a_race_killed_by_sigkill_keeps_what_had_run_and_the_same_command_finishes_it(toys, tmp_path):
    path, script = tmp_path / "race.sqlite", tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not rows(path) and process.poll() is None:
            time.sleep(0.002)
        process.kill()
    before = rows(path)
    assert before
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    resumed = Race.from_json(again.stdout)
    assert before < rows(path) or process.returncode == 0
    assert timeless(resumed) == timeless(run(toys.points()))


@pytest.mark.parametrize(
    ("executor", "text"),
    [
        (3, "executor: of type int; expected a concurrent.futures.Executor or a name."),
        ("proceses:2", "executor: 'proceses'.\n  Did you mean 'processes'?"),
        ("processes:none", "executor: 'none' workers; expected a whole number ≥ 1."),
        ("dask", 'executor: no address; expected a scheduler\'s, as in "dask:tcp://host:8786".'),
    ],
)
def test_executors_that_are_none(make, executor, text):
    with pytest.raises(OptionError) as caught:
        run(make(), executor=executor)
    assert str(caught.value).startswith(text)


def test_memory_needs_processes_of_our_own(make):
    with pytest.raises(OptionError) as caught:
        run(make(), memory=2**30)
    assert str(caught.value) == (
        'memory: memory=1073741824; expected none, or executor="processes".\n'
        "  Likely cause: only processes that the race starts can be held to a limit"
    )


def test_an_executor_that_is_shut_down(make):
    pool = Workers(1)
    pool.shutdown()
    with pytest.raises(OptionError, match="executor: it is shut down; expected one that takes work"):
        run(make(), executor=pool)


def test_what_a_process_cannot_import_is_said(toys):
    class Local(nn.Linear):
        pass

    with Workers(1) as pool, pytest.raises(ProblemError) as caught:
        run(toys.points(partial(Local, 8, 4)), executor=pool)
    assert str(caught.value).startswith("Problem: model cannot be sent to another process (")
