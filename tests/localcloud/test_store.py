"""What the store promises: names, order, copies, atomicity, survival."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from localcloud.errors import ApiError
from localcloud.store import Collection, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    made = Store(tmp_path / "store.sqlite")
    yield made
    made.close()


@pytest.fixture
def things(store: Store) -> Collection:
    """One API's collection."""
    return store.of("things")


def test_a_name_is_taken_once(things: Collection) -> None:
    """A second create is 409 and changes nothing."""
    things.create("p/a", {"n": 1})

    with pytest.raises(ApiError) as caught:
        things.create("p/a", {"n": 2})

    assert caught.value.code == 409
    assert things.fetch("p/a") == {"n": 1}


@pytest.mark.parametrize("act", ["fetch", "delete"])
def test_absent_is_404(things: Collection, act: str) -> None:
    """What is not there cannot be read or removed."""
    with pytest.raises(ApiError) as caught:
        getattr(things, act)("p/a")

    assert caught.value.code == 404
    assert things.find("p/a") is None


def test_update_of_absent_is_404(things: Collection) -> None:
    """What is not there cannot be changed."""
    with pytest.raises(ApiError, match="was not found"):
        things.update("p/a", lambda found: found)


def test_a_tree_goes_with_all_that_is_below_it(things: Collection) -> None:
    """And with nothing that only begins alike."""
    for name in ("p/a", "p/a/b", "p/a/b/c", "p/ab", "p"):
        things.create(name, {})

    gone = things.delete_tree("p/a")

    assert gone == ["p/a/b", "p/a/b/c"]
    assert [name for name, _ in things.under("p")] == ["p/ab", "p"]


def test_a_tree_without_a_root_is_404(things: Collection) -> None:
    """What is below is left alone."""
    things.create("p/a/b", {})

    with pytest.raises(ApiError) as caught:
        things.delete_tree("p/a")

    assert caught.value.code == 404
    assert things.find("p/a/b") == {}


def test_copies_go_in_and_out(things: Collection) -> None:
    """Nobody can change the store by changing a dict."""
    sent = {"list": [1]}
    given = things.create("p/a", sent)
    sent["list"].append(2)
    given["list"].append(3)

    assert things.fetch("p/a") == {"list": [1]}


def test_children_are_direct_and_in_order(things: Collection) -> None:
    """A listing has one level, oldest first, and a changed resource keeps its place."""
    for name in ("p/z", "p/a", "p/a/deep", "q/b"):
        things.create(name, {"name": name})
    things.put("p/z", {"name": "p/z", "changed": True})

    assert [item["name"] for item in things.children("p/")] == ["p/z", "p/a"]
    assert things.count("p/") == 2
    assert [name for name, _ in things.under("p/")] == ["p/z", "p/a", "p/a/deep"]


def test_apis_do_not_see_each_other(store: Store) -> None:
    """The same name may exist in two APIs."""
    store.of("one").create("p/a", {})

    assert store.of("two").find("p/a") is None
    assert store.of("two").under("") == []


def test_failed_update_changes_nothing(things: Collection) -> None:
    """An update that raises leaves the resource, and the lock, as they were."""
    things.create("p/a", {"n": 1})

    def fail(found: dict[str, object]) -> None:
        found["n"] = 2
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        things.update("p/a", fail)
    assert things.fetch("p/a") == {"n": 1}


def test_what_happens_under_the_lock_happens_wholly(store: Store, things: Collection) -> None:
    """Several writes under one lock are undone together."""

    def fail() -> None:
        with store.lock():
            things.create("p/a", {})
            with store.lock():
                things.create("p/b", {})
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()

    assert things.under("") == []


def test_numbers_are_never_given_twice(tmp_path: Path, things: Collection) -> None:
    """Counting goes on after a restart and per key."""
    assert [things.next_number("k") for _ in range(3)] == [1, 2, 3]
    assert things.next_number("other") == 1

    again = Store(tmp_path / "store.sqlite")
    assert again.of("things").next_number("k") == 4
    again.close()


def test_threads_do_not_lose_updates(things: Collection) -> None:
    """Concurrent read-modify-write adds up."""
    things.create("p/a", {"n": 0})

    def work() -> None:
        for _ in range(50):
            things.update("p/a", lambda found: {"n": found["n"] + 1})

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert things.fetch("p/a") == {"n": 400}


def test_prefix_wildcards_are_plain_characters(things: Collection) -> None:
    """A percent sign or underscore in a name matches itself only."""
    things.create("p_/a", {})
    things.create("px/a", {})

    assert [name for name, _ in things.under("p_")] == ["p_/a"]
