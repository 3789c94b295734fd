"""A large vector is drawn in pieces by several threads: the pieces share no noise, and have the noise of the whole."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest

from privacy import mechanism
from privacy.arrays import Vector
from privacy.mechanism import SHARED_OUT_FROM, DiscreteGaussian, DrawFailed, NoiseSource
from tests.statistical import checks, sources
from tests.statistical.checks import alarms, between

SIGMA, PIECES, CELLS = 10.0, 4, 40_000
# Far enough apart that an entry which went to another place, or was left out, would stand out from all noise.
EXACT = np.arange(CELLS, dtype=np.int64) * 1_000_000


@pytest.fixture(autouse=True)
def four_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than there may be; the draws are real."""
    assert CELLS > PIECES * SHARED_OUT_FROM
    monkeypatch.setattr(mechanism, "usable_cpus", lambda: PIECES)


def piece_checks(source: NoiseSource) -> dict[str, float]:
    """Two calls: every pair of their pieces, and all draws by scale and shape."""
    noise = [source.add_noise(EXACT, SIGMA) - EXACT for _ in range(2)]
    pieces: list[Vector] = [piece for drawn in noise for piece in np.array_split(drawn, PIECES)]
    drawn = np.concatenate(noise)
    pairs = {f"{i} and {j}": between(pieces[i], pieces[j]) for i, j in combinations(range(len(pieces)), 2)}
    return pairs | {
        "distribution": checks.distribution(drawn, SIGMA),
        "variance": checks.variance(drawn, SIGMA),
        "mean": checks.mean(drawn, SIGMA),
    }


def test_pieces_share_no_noise_and_have_the_noise_that_the_plan_says() -> None:
    assert alarms(piece_checks(DiscreteGaussian())) == set()


def test_noise_shared_by_pieces_is_caught() -> None:
    assert alarms(piece_checks(sources.SharedByPieces())) == {"0 and 2", "1 and 3", "4 and 6", "5 and 7"}


def test_the_checks_have_nothing_against_a_right_source_that_is_not_the_real_one() -> None:
    assert alarms(piece_checks(sources.Right())) == set()


def test_each_entry_stays_in_its_place() -> None:
    noisy = DiscreteGaussian().add_noise(EXACT, SIGMA)
    assert noisy.shape == EXACT.shape
    assert noisy.dtype == np.int64
    assert np.abs(noisy - EXACT).max() < 1000


@pytest.mark.parametrize(("cells", "pieces"), [(SHARED_OUT_FROM - 1, 1), (SHARED_OUT_FROM, PIECES)])
def test_only_a_large_vector_is_shared_out(cells: int, pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    draw = mechanism._draw_piece

    def noted(exact: Vector, sigma: float) -> Vector:
        sizes.append(exact.size)
        return draw(exact, sigma)

    monkeypatch.setattr(mechanism, "_draw_piece", noted)
    DiscreteGaussian().add_noise(np.zeros(cells, dtype=np.int64), SIGMA)
    assert (len(sizes), sum(sizes)) == (pieces, cells)


def test_a_piece_that_fails_fails_the_whole_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = mechanism._draw_piece

    def failing(exact: Vector, sigma: float) -> Vector:
        if exact[0] > 0:
            raise RuntimeError(f"no noise for {exact[0]}")
        return draw(exact, sigma)

    monkeypatch.setattr(mechanism, "_draw_piece", failing)
    with pytest.raises(DrawFailed) as raised:
        DiscreteGaussian().add_noise(EXACT, SIGMA)
    assert (str(raised.value), raised.value.__cause__, raised.value.__context__) == ("", None, None)


def test_where_no_thread_can_start_the_whole_is_drawn_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    start, sizes = threading.Thread.start, list[int]()
    draw = mechanism._draw_piece

    def noted(exact: Vector, sigma: float) -> Vector:
        sizes.append(exact.size)
        return draw(exact, sigma)

    few = EXACT[:SHARED_OUT_FROM]
    for most in (0, PIECES - 1):
        started = iter(range(most))

        def start_some(thread: threading.Thread, started: Iterator[int] = started) -> None:
            if next(started, None) is None:
                raise RuntimeError("can't start new thread")
            start(thread)

        with monkeypatch.context() as changed:
            changed.setattr(threading.Thread, "start", start_some)
            changed.setattr(mechanism, "_draw_piece", noted)
            noisy = DiscreteGaussian().add_noise(few, SIGMA)
        assert 0 < np.abs(noisy - few).max() < 1000
    assert sizes == [few.size] * 2


@pytest.mark.slow
def test_a_draw_that_begins_as_the_interpreter_ends_is_drawn_all_the_same() -> None:
    late = f"""
import threading, time
import numpy as np
from privacy.mechanism import DiscreteGaussian
def draw():
    threading.main_thread().join()
    print(DiscreteGaussian().add_noise(np.zeros({SHARED_OUT_FROM}, dtype=np.int64), 1.0).size)
threading.Thread(target=draw).start()
"""
    ended = subprocess.run([sys.executable, "-c", late], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == str(SHARED_OUT_FROM)


def test_no_more_threads_than_this_process_may_use_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 1 <= mechanism.usable_cpus() <= (mechanism.os.cpu_count() or 1)
