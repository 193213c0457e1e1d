"""The curves' tables against exact decimals, as far as the package says that they are exact."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import pytest

from emulator.cluster.distributions import Exponential, Gamma, Lognormal
from emulator.cluster.distributions.curves import Z99
from emulator.domain.timefmt import SECOND

PI = Decimal("3.14159265358979323846264338327950288419716939937511")
SHARES = [(1, 100), (1, 10), (1, 2), (9, 10), (99, 100), (999, 1000)]


@pytest.mark.parametrize(("numerator", "denominator"), SHARES)
def test_exponential_quantiles_are_exact_to_a_thousandth(numerator: int, denominator: int) -> None:
    exact = -(1 - Decimal(numerator) / denominator).ln() * 2 * SECOND
    assert abs(Exponential(2 * SECOND).quantile(numerator, denominator) / exact - 1) < Decimal(
        "0.001"
    )


# the gamma function at the shape
GAMMA = {
    "0.25": Decimal("3.6256099082219083119306851558676720"),
    "0.5": PI.sqrt(),
    "1": Decimal(1),
    "2.5": PI.sqrt() * 3 / 4,
    "7": Decimal(math.factorial(6)),
    "30": Decimal(math.factorial(29)),
    "400": Decimal(math.factorial(399)),
}


def _gamma_below(shape: str, x: Decimal) -> Decimal:
    """The regularized incomplete gamma function, by its series."""
    k = Decimal(shape)
    with localcontext(prec=50):
        term = total = 1 / k
        n = 0
        while term > total * Decimal("1e-30"):
            n += 1
            term = term * x / (k + n)
            total += term
        return total * (k * x.ln() - x).exp() / GAMMA[shape]


@pytest.mark.parametrize("shape", GAMMA)
def test_gamma_is_exact_as_far_as_it_says(shape: str) -> None:
    gamma = Gamma(Decimal(shape), 3600 * SECOND)
    assert abs(Decimal(gamma.mean) / (3600 * SECOND) - 1) < Decimal("0.0005")
    for numerator, denominator in SHARES:
        quantile, share = gamma.quantile(numerator, denominator), Decimal(numerator) / denominator
        x = Decimal(quantile) / (3600 * SECOND) * Decimal(shape)
        margin = x * Decimal("0.002") + Decimal("1e-6") * Decimal(shape)
        assert x <= margin or _gamma_below(shape, x - margin) < share
        assert share < _gamma_below(shape, x + margin)


def _normal_below(z: Decimal) -> Decimal:
    with localcontext(prec=50):
        term = total = z
        n = 1
        while term > Decimal("1e-45"):
            n += 2
            term = term * z * z / n
            total += term
        return Decimal("0.5") + total * (-z * z / 2).exp() / (2 * PI).sqrt()


def test_the_normals_99th_percentile_is_the_literal() -> None:
    assert abs(_normal_below(Z99) - Decimal("0.99")) < Decimal("1e-39")


Z = {(1, 2): Decimal(0), (99, 100): Z99, (999, 1000): Decimal("3.0902323061678135415")}


@pytest.mark.parametrize(
    ("sigma", "within"), [("0.1", "1e-5"), ("0.5", "1e-4"), ("1", "2e-4"), ("3", "1e-3")]
)
def test_lognormal_is_exact_as_far_as_it_says(sigma: str, within: str) -> None:
    assert abs(_normal_below(Z[999, 1000]) - Decimal("0.999")) < Decimal("1e-18")
    lognormal = Lognormal(Decimal(SECOND), Decimal(sigma))
    exact = (Decimal(sigma) ** 2 / 2).exp() * SECOND
    assert abs(lognormal.mean / exact - 1) < Decimal(within)
    for share, z in Z.items():
        for sign, (numerator, denominator) in ((1, share), (-1, (share[1] - share[0], share[1]))):
            exact = (sign * z * Decimal(sigma)).exp() * SECOND
            error = lognormal.quantile(numerator, denominator) / exact - 1
            assert abs(error) < Decimal(within) + Decimal("1e-8")
