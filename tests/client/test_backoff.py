from __future__ import annotations

from bridge.client.backoff import Backoff


def test_waits_grow_to_a_limit_and_never_beyond() -> None:
    backoff = Backoff(first_s=0.1, longest_s=2.0)
    waits = [backoff.next_s() for _ in range(12)]
    for wait_s, full_s in zip(waits, [0.1, 0.2, 0.4, 0.8, 1.6, *[2.0] * 7], strict=True):
        assert 0.75 * full_s <= wait_s <= full_s


def test_a_good_connection_starts_over() -> None:
    backoff = Backoff(first_s=0.1, longest_s=2.0)
    for _ in range(6):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_two_clients_do_not_come_back_in_step() -> None:
    assert [Backoff().next_s() for _ in range(8)] != [Backoff().next_s() for _ in range(8)]


def test_server_that_says_when_to_come_back_is_not_tried_before_nor_much_later() -> None:
    backoff = Backoff(first_s=0.1, longest_s=2.0)
    for _ in range(8):
        assert 3.0 <= backoff.next_s(asked_s=3.0) <= 3.75
    assert backoff.next_s(asked_s=0.01) >= 1.5
    assert backoff.next_s(asked_s=1e9) <= 75.0
