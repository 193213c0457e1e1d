"""Quantities, durations and times: what is written is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.domain import quantity, timefmt
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND

amounts = st.integers(0, 10**9)
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
#: Kubernetes: no number may exceed this; what is larger is capped.
LARGEST = 2**63 - 1
DECIMAL = {"k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


@given(amounts)
def test_millicores_are_read_as_they_are_written(amount: int) -> None:
    assert quantity.read("cpu", f"{amount}m") == amount
    assert quantity.read("cpu", str(amount)) == 1000 * amount
    assert quantity.read("nvidia.com/gpu", str(amount)) == amount


@given(amounts, st.sampled_from(sorted(BINARY)))
def test_binary_suffixes(amount: int, suffix: str) -> None:
    expected = min(amount * 1024 ** BINARY[suffix], LARGEST)
    assert quantity.read("memory", f"{amount}{suffix}") == expected


@given(amounts, st.sampled_from(sorted(DECIMAL)))
def test_decimal_suffixes_and_exponents(amount: int, suffix: str) -> None:
    expected = min(amount * 1000 ** DECIMAL[suffix], LARGEST)
    assert quantity.whole(f"{amount}{suffix}") == expected
    assert quantity.whole(f"{amount}e{3 * DECIMAL[suffix]}") == expected


@pytest.mark.parametrize("text", ["1e400", "1e99999999", "9" * 500, "9.3E", "16Ei"])
def test_what_is_too_large_is_capped(text: str) -> None:
    assert quantity.whole(text) == LARGEST


@given(st.integers(0, 10**6), st.integers(0, 10**6 - 1))
def test_what_does_not_come_out_even_is_rounded_up(units: int, millionths: int) -> None:
    text = f"{units}.{millionths:06d}"
    assert quantity.whole(text) == units + (millionths > 0)
    assert quantity.milli(text) == -(-(units * 10**6 + millionths) // 1000)


@pytest.mark.parametrize("text", ["", "-1", "1 Gi", "Gi", "1gi", "0x1", "1.5.2", "1e", "one"])
def test_what_is_no_quantity_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(ValueError, match="500m or 2Gi"):
        quantity.parse(text)


@given(st.integers(0, 48 * HOUR))
def test_a_shown_duration_is_read_back_to_what_is_shown(ns: int) -> None:
    """Milliseconds are shown below an hour, seconds from there on."""
    read = timefmt.parse_duration(timefmt.format_duration(ns))
    if ns < HOUR:
        assert abs(read - ns) <= MILLISECOND
    else:
        assert read == ns // SECOND * SECOND


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 10_000), st.integers(0, 10**9 - 1))
def test_every_part_of_a_duration_counts(
    hours: int, minutes: int, seconds: int, nanoseconds: int
) -> None:
    expected = hours * HOUR + minutes * MINUTE + seconds * SECOND + nanoseconds
    text = f"{hours}h{minutes}m{seconds}.{nanoseconds:09d}s"
    assert timefmt.parse_duration(text) == expected
    assert timefmt.parse_duration(f"{expected}ns") == expected


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1.s", "1 s", "1s 2s", "1d", "one second"])
def test_what_is_no_duration_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(ValueError, match=r"like 1\.5s or 2m"):
        timefmt.parse_duration(text)


@given(st.integers(0, 4 * 10**12))
def test_a_time_is_read_back_to_the_millisecond(milliseconds: int) -> None:
    ns = milliseconds * MILLISECOND
    assert timefmt.parse_iso(timefmt.iso(ns)) == ns
    assert timefmt.parse_iso(timefmt.iso_seconds(ns)) == ns // SECOND * SECOND


def test_times_sort_as_text() -> None:
    assert timefmt.iso(timefmt.OFFLINE_EPOCH + 3_200 * MILLISECOND) == "2026-01-01T00:00:03.200Z"
    assert timefmt.iso_seconds(timefmt.OFFLINE_EPOCH) == "2026-01-01T00:00:00Z"
