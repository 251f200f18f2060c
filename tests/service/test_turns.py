"""Whose message is next: nobody waits for one who sends without end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.service.turns import Turns


def put(turns: Turns, sender: str, *texts: str) -> list[bool]:
    return [turns.put(sender.encode(), [text.encode()]) for text in texts]


def served(turns: Turns, *, seconds: float = 1.0) -> list[str]:
    """Look at everything, each message for so long."""
    order = []
    while (waiting := turns.next()) is not None:
        sender, (text,) = waiting
        turns.note_used(sender, seconds)
        order.append(f"{sender.decode()}{text.decode()}")
    return order


def test_messages_of_one_sender_keep_their_order_and_senders_take_turns() -> None:
    turns = Turns(1000)
    put(turns, "a", "1", "2", "3")
    put(turns, "b", "1", "2")
    assert len(turns) == 5
    assert served(turns) == ["a1", "b1", "a2", "b2", "a3"]
    assert len(turns) == 0 and turns.next() is None


def test_sender_of_dear_messages_waits_for_those_of_cheap_ones() -> None:
    turns = Turns(1000)
    put(turns, "flood", "1", "2", "3")
    put(turns, "game", "1", "2", "3", "4")
    order = []
    while (waiting := turns.next()) is not None:
        sender, (text,) = waiting
        turns.note_used(sender, 0.040 if sender == b"flood" else 0.0002)
        order.append(f"{sender.decode()}{text.decode()}")
    assert order == ["flood1", "game1", "game2", "game3", "game4", "flood2", "flood3"]


def test_sender_that_comes_late_is_next_and_has_saved_up_nothing() -> None:
    turns = Turns(1000)
    put(turns, "a", *"12345678")
    for _ in range(4):
        assert turns.next() is not None
        turns.note_used(b"a", 1.0)
    put(turns, "b", *"1234")
    assert served(turns) == ["b1", "a5", "b2", "a6", "b3", "a7", "b4", "a8"]


def test_what_is_beyond_the_bytes_of_one_sender_is_not_taken_and_others_have_theirs() -> None:
    turns = Turns(5)
    assert put(turns, "a", "123", "45", "6") == [True, True, False]
    assert put(turns, "b", "12345") == [True]
    assert put(turns, "c", "longer than that") == [True]  # one message there must always be room for
    assert len(turns) == 4
    assert turns.next() == (b"a", [b"123"])
    assert put(turns, "a", "6") == [True]


def test_what_is_forgotten_does_not_come_back() -> None:
    turns = Turns(1000)
    put(turns, "a", "1", "2")
    put(turns, "b", "1")
    turns.forget(b"a")
    assert len(turns) == 1
    put(turns, "a", "3")
    assert sorted(served(turns)) == ["a3", "b1"]


def test_senders_that_are_gone_leave_nothing_behind() -> None:
    turns = Turns(1000)
    for index in range(100):
        put(turns, f"sender {index}", "1")
        served(turns)
    turns.settle()
    assert turns._senders == {} and turns._line == []


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 3), st.integers(1, 4)),
            st.tuples(st.sampled_from(["next", "settle"]), st.integers(0, 3), st.integers(0, 50)),
        )
    )
)
def test_every_message_that_is_taken_comes_out_once_and_in_its_senders_order(steps: list[tuple[str, int, int]]) -> None:
    turns = Turns(12)
    expected: dict[bytes, list[bytes]] = {}
    for number, (what, sender, amount) in enumerate(steps):
        if what == "put":
            message = f"{number}".encode().rjust(amount)
            if turns.put(str(sender).encode(), [message]):
                expected.setdefault(str(sender).encode(), []).append(message)
        elif what == "settle":
            turns.settle()
        elif (waiting := turns.next()) is not None:
            sender_id, (first,) = waiting
            assert first == expected[sender_id].pop(0)
            turns.note_used(sender_id, amount / 1000)
        assert len(turns) == sum(map(len, expected.values()))
    while (waiting := turns.next()) is not None:
        sender_id, (first,) = waiting
        assert first == expected[sender_id].pop(0)
        turns.note_used(sender_id, 0.001)
    assert not any(expected.values())
