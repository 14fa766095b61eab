"""The standing: ranking, ties and what is said about them, on made-up losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from initwise.race.climbing import climbing, widening
from initwise.race.ladder import Rung
from initwise.race.outcome import Outcome
from initwise.race.results import SLOPE, Curve, Results
from initwise.race.standing import standing
from initwise.race.verdict import Noise, adjusted, gap, pooled

SHORT, LONG = Rung(4, 10, 1), Rung(2, 100, 2)


def raced(**schemes):
    """`raced(a={0.1: {10: [[1.0]], 100: …}})`: scheme → rate → steps → losses by seed and batch."""
    results = Results()
    for order, (scheme, rates) in enumerate(schemes.items()):
        for rate, lengths in rates.items():
            for steps, seeds in lengths.items():
                for seed, losses in enumerate(seeds):
                    outcome = Outcome("trained", steps, ((steps, tuple(losses)),))
                    results.add(Curve(order, scheme, rate), seed, steps, outcome)
    return results


def test_the_lowest_loss_at_its_own_best_rate_wins():
    results = raced(
        a={0.1: {100: [[1.0], [1.02]]}, 0.2: {100: [[2.0], [2.0]]}},
        b={0.1: {100: [[3.0], [3.0]]}, 0.2: {100: [[0.5], [0.52]]}},
    )
    stand = standing(results, ("a", "b"), (LONG,), 400)
    assert (stand.winner, stand.ties) == ("b", ("b",))
    first, second = stand.ranking
    assert (first.name, first.learning_rate, first.share) == ("b", 0.2, 0.25)
    assert first.loss == pytest.approx(0.51)
    # the standard error of two seeds is half their difference
    assert first.loss_error == pytest.approx(0.01)
    assert second.reason == "behind: +0.5 ± 0.01 after 100 steps, p = 9.6e-07"


def test_a_difference_within_noise_is_a_tie():
    results = raced(a={0.1: {100: [[1.0], [1.2]]}}, b={0.1: {100: [[1.1], [1.4]]}})
    stand = standing(results, ("a", "b"), (LONG,), 100)
    assert stand.ties == ("a", "b")
    # pooled seed variance (.02 + .045)/2, two seeds of a difference of two losses
    assert stand.ranking[1].reason == "within noise of a: +0.15 ± 0.18 after 100 steps, p = 0.49"


def test_the_noise_is_never_below_that_between_seeds():
    """Two seeds that happen to differ by the same amount prove nothing."""
    results = raced(a={0.1: {100: [[1.0], [2.0]]}}, b={0.1: {100: [[1.1], [2.1]]}})
    assert standing(results, ("a", "b"), (LONG,), 100).ties == ("a", "b")


def test_validation_batches_that_disagree_are_noise_too():
    sure = raced(a={0.1: {100: [[1.0, 1.0]] * 2}}, b={0.1: {100: [[1.2, 1.2]] * 2}})
    unsure = raced(a={0.1: {100: [[1.0, 1.0]] * 2}}, b={0.1: {100: [[0.8, 1.6]] * 2}})
    assert standing(sure, ("a", "b"), (LONG,), 100).ties == ("a",)
    assert standing(unsure, ("a", "b"), (LONG,), 100).ties == ("a", "b")


def test_whoever_ran_longer_ranks_higher_and_the_eliminated_are_no_ties():
    results = raced(
        a={0.1: {10: [[1.0], [3.0]], 100: [[5.0], [5.0]]}},
        b={0.1: {10: [[1.1]]}},
    )
    stand = standing(results, ("b", "a"), (SHORT, LONG), 100)
    assert [candidate.name for candidate in stand.ranking] == ["a", "b"]
    assert stand.ties == ("a",)
    # the noise after 10 steps is known from the finalist's other seed
    assert pooled(results.of_seeds(SHORT, 100)).deviation == pytest.approx(math.sqrt(2))
    assert stand.ranking[1].reason == "eliminated: +0.1 ± 2 after 10 steps"
    assert math.isnan(stand.ranking[1].loss_error)


def test_the_very_same_losses_are_a_tie_even_if_eliminated():
    results = raced(a={0.1: {10: [[1.0]], 100: [[0.5], [0.5]]}}, b={0.1: {10: [[1.0]]}})
    stand = standing(results, ("a", "b"), (SHORT, LONG), 100)
    assert stand.ties == ("a", "b")
    assert stand.ranking[1].reason == "the same losses as a"


def test_schemes_of_which_nothing_came_through_come_last_with_the_reason():
    results = raced(a={0.1: {100: [[1.0], [1.0]]}})
    results.add(Curve(1, "b", 0.1), 0, 100, Outcome("diverged", 3))
    results.add(Curve(2, "c", 0.1), 0, 100, Outcome("failed", 0, error="ValueError: odd"))
    stand = standing(results, ("d", "c", "b", "a"), (LONG,), 100)
    found = {candidate.name: (candidate.verdict, candidate.reason) for candidate in stand.ranking}
    assert stand.ranking[0].name == "a"
    assert found["b"] == ("exploding", "training diverged at every learning rate")
    assert found["c"] == ("unpredicted", "training failed: ValueError: odd")
    assert found["d"] == ("unpredicted", "did not run")


def test_nobody_wins_if_nobody_came_through():
    results = Results()
    results.add(Curve(0, "a", 0.1), 0, 10, Outcome("diverged", 3))
    stand = standing(results, ("a",), (SHORT,), 100)
    assert (stand.winner, stand.ties) == ("", ())
    assert stand.ranking[0].verdict == "exploding"


def test_a_curve_with_a_seed_that_diverged_did_not_come_through():
    results = raced(a={0.1: {100: [[0.1]]}}, b={0.1: {100: [[1.0], [1.0]]}})
    assert standing(results, ("a", "b"), (LONG,), 100).winner == "b"


def test_one_scheme_does_not_fill_the_next_rung_with_its_rates():
    results = raced(
        a={0.1: {10: [[1.0]]}, 0.2: {10: [[1.1]]}, 0.3: {10: [[1.2]]}},
        b={0.1: {10: [[2.0]]}},
    )
    assert [curve.scheme for curve in climbing(results, SHORT, Rung(3, 100, 1), 2)] == ["a", "a", "b"]
    assert [curve.scheme for curve in climbing(results, SHORT, Rung(2, 100, 1), 1)] == ["a", "b"]
    # unless nobody else wants the place
    assert [curve.scheme for curve in climbing(results, SHORT, Rung(4, 100, 1), 1)] == [
        "a",
        "b",
        "a",
        "a",
    ]


def test_the_order_of_the_candidates_settles_equal_losses():
    results = raced(z={0.1: {10: [[1.0]]}}, a={0.1: {10: [[1.0]]}})
    assert [curve.scheme for curve in climbing(results, SHORT, Rung(2, 100, 1), 2)] == ["z", "a"]


def test_the_more_schemes_are_compared_the_more_it_takes_to_be_behind():
    """The same gap of the same noise, p = .03 alone, is a tie beside a second comparison (Holm)."""
    a, b = [[1.0, 1.0], [1.1, 1.1]], [[1.26, 1.26], [1.36, 1.36]]
    alone = raced(a={0.1: {100: a}}, b={0.1: {100: b}}, zero={0.1: {100: [[9.0, 9.0], [9.1, 9.1]]}})
    # s = .0707, so t = .26/.0707 = 3.68 on 3 degrees
    p = 2 * scipy.stats.t.sf(0.26 / math.sqrt(0.005), 3)
    assert 0.025 < p < 0.05
    assert standing(alone, ("a", "b", "zero"), (LONG,), 100).ties == ("a",)
    more = raced(a={0.1: {100: a}}, b={0.1: {100: b}}, c={0.1: {100: b}})
    stand = standing(more, ("a", "b", "c"), (LONG,), 100)
    assert stand.ties == ("a", "b", "c")
    assert stand.ranking[1].reason.endswith(f"p = {2 * p:.2g}")


def test_holm_multiplies_the_smallest_p_by_their_number():
    assert adjusted([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert adjusted([]) == []


def test_one_seed_and_one_validation_batch_prove_nothing():
    results = raced(a={0.1: {100: [[1.0]]}}, b={0.1: {100: [[9.0]]}})
    assert standing(results, ("a", "b"), (Rung(2, 100, 1),), 100).ties == ("a", "b")


def test_both_seeds_and_validation_batches_have_to_agree():
    noise = Noise(0.1, 4)
    steady, mixed = np.array([[1.0, 1.0, 1.0]] * 2), np.array([[0.0, 3.0, 0.0]] * 2)
    zero = np.zeros((2, 3))
    assert gap(steady, zero, noise).p < 0.001  # t = 10 on 4 degrees; no spread over batches
    assert gap(mixed, zero, noise).p == pytest.approx(2 * scipy.stats.t.sf(1.0, 5))  # mean 1, SE 1


def test_an_early_leader_that_stands_still_loses_to_one_close_behind_that_falls():
    """1.0 and standing; 1.04 and falling by .2 a doubling, three doublings from the end."""
    results = raced(
        early={0.1: {50: [[1.0], [1.01]], 100: [[1.0], [1.01]]}},
        late={0.1: {50: [[1.24], [1.25]], 100: [[1.04], [1.05]]}},
    )
    late = next(curve for curve in results.ranked(LONG) if curve.scheme == "late")
    assert results.expected(late, LONG, 800).mean() == pytest.approx(1.045 - SLOPE * 0.2 * 3)
    stand = standing(results, ("early", "late"), (LONG,), 800)
    assert stand.winner == "late"
    assert stand.ranking[0].loss == pytest.approx(1.045)
    assert stand.ranking[0].reason == "falls fastest after 100 steps, and so is expected to end lowest"
    # at the end there is nothing left to expect
    assert standing(results, ("early", "late"), (LONG,), 100).winner == "early"


def test_a_curve_that_rises_is_expected_to_stay():
    results = raced(a={0.1: {50: [[1.0]], 100: [[1.2]]}})
    rung = Rung(1, 100, 1)
    assert results.expected(results.ranked(rung)[0], rung, 800).tolist() == [[1.2]]


def test_a_scheme_that_does_best_at_the_edge_gets_the_next_rate():
    lengths = {0.1: 3.0, 0.3: 2.0, 1.0: 1.0}
    results = raced(
        high={rate: {10: [[loss]]} for rate, loss in lengths.items()},
        middle={0.1: {10: [[3.0]]}, 0.3: {10: [[1.0]]}, 1.0: {10: [[2.0]]}},
        low={0.1: {10: [[0.5]]}, 0.3: {10: [[1.0]]}, 1.0: {10: [[2.0]]}},
    )
    assert [(curve.scheme, curve.rate) for curve in widening(results, SHORT)] == [
        ("low", 0.03),
        ("high", 3.0),
    ]


def test_where_every_rate_diverged_a_lower_one_is_tried_and_where_it_raised_none():
    results = Results()
    for rate in (0.1, 0.3):
        results.add(Curve(0, "hot", rate), 0, 10, Outcome("diverged", 3))
        results.add(Curve(1, "broken", rate), 0, 10, Outcome("failed", 0, error="ValueError: odd"))
    assert [(curve.scheme, curve.rate) for curve in widening(results, SHORT)] == [("hot", 0.03)]
