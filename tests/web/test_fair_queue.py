"""A bounded queue whose groups take turns."""

from __future__ import annotations

from exporter.web.fair_queue import FairQueue


def emptied(queue: FairQueue[str]) -> list[str]:
    return [queue.pop() for _ in range(len(queue))]


def test_groups_take_turns_and_keep_their_order() -> None:
    queue: FairQueue[str] = FairQueue(total=9, per_group=9)
    for item in ("a1", "a2", "a3", "b1", "b2", "c1"):
        assert queue.put(item[0], item) is None
    assert emptied(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_group_that_was_just_served_yields_to_a_new_one() -> None:
    queue: FairQueue[str] = FairQueue(total=9, per_group=9)
    queue.put("a", "a1")
    queue.put("a", "a2")
    assert queue.pop() == "a1"
    queue.put("b", "b1")
    queue.put("c", "c1")
    assert emptied(queue) == ["a2", "b1", "c1"]


def test_a_full_group_takes_no_more() -> None:
    queue: FairQueue[str] = FairQueue(total=9, per_group=2)
    assert [queue.put("a", item) for item in ("a1", "a2", "a3")] == [None, None, "a3"]
    assert queue.put("b", "b1") is None
    assert emptied(queue) == ["a1", "b1", "a2"]


def test_a_full_queue_makes_room_at_the_expense_of_the_largest_group() -> None:
    queue: FairQueue[str] = FairQueue(total=4, per_group=3)
    for item in ("a1", "b1", "b2", "b3"):
        assert queue.put(item[0], item) is None
    assert queue.put("c", "c1") == "b3"
    assert queue.put("a", "a2") == "a2"  # no group would have more than its own
    assert queue.put("d", "d1") == "b2"
    assert queue.put("e", "e1") == "e1"
    assert emptied(queue) == ["a1", "b1", "c1", "d1"]


def test_a_discarded_item_leaves_room() -> None:
    queue: FairQueue[str] = FairQueue(total=2, per_group=1)
    queue.put("a", "a1")
    queue.put("b", "b1")
    assert queue.discard("a", "a1")
    assert not queue.discard("a", "a1")
    assert not queue.discard("b", "b2")
    assert queue.put("a", "a2") is None
    assert emptied(queue) == ["b1", "a2"]
    assert len(queue) == 0
