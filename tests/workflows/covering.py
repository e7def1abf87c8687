"""A covering set: few requests in which every two options that go together do so once."""

from functools import cache

from tests.repository.options import Wish, pairs_of, valid_pairs, valid_wishes


@cache
def covering_set() -> tuple[Wish, ...]:
    """Return requests that have every possible pair of options, the richest first.

    Each next one is that with the most pairs that none before it has. Such a set is some tens of
    percent larger than the smallest there is, and found in a second.
    """
    pairs = {wish: frozenset(pairs_of(wish)) for wish in valid_wishes()}
    missing, chosen = set(valid_pairs()), []
    while missing:
        best = max(pairs, key=lambda wish: len(pairs[wish] & missing))
        chosen.append(best)
        missing -= pairs[best]
    return tuple(chosen)
