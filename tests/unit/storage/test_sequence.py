import itertools
import threading
import time

from storage.sequence import next_seq


def test_numbers_rise_across_threads_without_a_repeat() -> None:
    found: list[list[int]] = [[] for _ in range(4)]

    def take(mine: list[int]) -> None:
        mine.extend(next_seq(3) for _ in range(1000))

    threads = [threading.Thread(target=take, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert all(mine == sorted(mine) for mine in found)
    taken = sorted(number for mine in found for number in mine)
    assert all(later - earlier >= 3 for earlier, later in itertools.pairwise(taken))
    assert len(taken) == 4000


def test_numbers_start_from_the_clock_and_fit_64_bits() -> None:
    before = time.time_ns()
    assert before <= next_seq() < 2**63
