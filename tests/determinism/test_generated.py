"""Generated scenarios do not depend on the hash seed; a thousand of them by hand: `generated.py`."""

from __future__ import annotations

import pytest
from generated import compare, scenarios


@pytest.mark.slow  # two processes, and Hypothesis draws ten long histories
def test_ten_generated_scenarios_are_the_same_under_two_hash_seeds() -> None:
    texts = scenarios(10, seed=20)
    assert len(set(texts)) == 10
    assert scenarios(10, seed=20) == texts
    differ, rows, failed = compare(texts)
    assert not differ, texts[differ[0]]
    assert rows > 1000
    assert failed < 5
