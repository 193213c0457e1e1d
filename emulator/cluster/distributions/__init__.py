"""Distributions of durations: from a stream's integer bits to integer nanoseconds.

Rules: a distribution is a frozen value and keeps no state that a draw could change; the stream carries
all of it. No float takes part: a curve is a table of integers (`table`), made once with `decimal`, whose
exp, ln and roots are correctly rounded at a given precision (`curves`), so that the same stream gives
the same nanoseconds on every machine. One 64-bit draw makes one sample, by inversion: a greater draw
never gives a shorter duration, and two distributions asked with the same draw answer at the same
quantile (common random numbers). Two exceptions: Constant draws nothing, and Uniform on its
own takes `Stream.between`, which redraws what falls outside its range.

A scenario writes a distribution as a duration (`3s`, a constant) or as an object with one key, its
shape (`parse.SHAPES` is the registry):

    {constant: 3s}
    {uniform: [1s, 3s]}
    {exponential: 2s}                                     the mean
    {lognormal: {median: 2s, sigma: 0.5}}                 sigma: the deviation of the logarithm, 0 to 3
    {lognormal: {mean: 2s, sigma: 0.5}}
    {lognormal: {median: 2s, p99: 10s}}
    {gamma: {shape: 2, mean: 4s}}                         shape: 0.1 to 1000
    {empirical: [1s, 2s, 2s, 9s]}                         one of the values, each as likely
    {empirical: {values: [1s, 9s], weights: [9, 1]}}
    {quantiles: {p0: 100ms, p50: 2s, p99.9: 9s, p100: 30s}}     straight lines between the points
    {mixture: [{weight: 9, of: 1s}, {weight: 1, of: {uniform: [10s, 20s]}}]}
    {truncated: {of: {exponential: 2s}, low: 100ms, high: 30s}}     given that it is from low to high

Numbers (sigma, shape, weights) are YAML numbers or texts; a float counts as the decimal that it prints
as. `truncated` may leave out one of its bounds, and what it keeps must be at least a millionth of the
whole. No duration is longer than `LONGEST`, 292 years: a draw beyond it is cut to it.

Accuracy of the tables, where a nanosecond is too small to matter (tested): exponential and gamma have
their mean within 0.05 %, and the quantiles from p1 to p99.9 within 0.2 % (of the quantile, plus a
millionth of the mean: a shape below 1 has quantiles near zero); lognormal has both within 0.02 % up to
sigma 1, within 0.1 % up to sigma 3. Draws reach to 2^-64 from either end. The other shapes are exact to
a nanosecond, and mixing and truncating add no error of their own. `mean` is always that of what is
sampled. A sample costs one to two microseconds. A table is made when it is first needed (`truncated`:
when it is parsed), in tens of milliseconds for a new shape of gamma or the first lognormal, in a few for
the others.
"""

from emulator.cluster.distributions.parse import parse_distribution
from emulator.cluster.distributions.shapes import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    Lognormal,
    Mixture,
    Quantiles,
    Truncated,
    Uniform,
)
from emulator.cluster.distributions.table import LONGEST, Table

__all__ = [
    "LONGEST",
    "Constant",
    "Distribution",
    "Empirical",
    "Exponential",
    "Gamma",
    "Lognormal",
    "Mixture",
    "Quantiles",
    "Table",
    "Truncated",
    "Uniform",
    "parse_distribution",
]
