"""Rounding networks with the curvature of the loss, against NumPy and against plain rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner import _native as native
from wyner.codecs.overfit import curvature as curvature_module
from wyner.codecs.overfit.curvature import curvature
from wyner.codecs.overfit.model import load_model


def positive_matrix(rng: np.random.Generator, n: int, decay: float) -> np.ndarray:
    """A positive definite matrix whose eigenvalues fall by ``decay`` from each to the next."""
    q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    matrix = (q * decay ** np.arange(n)) @ q.T
    return np.ascontiguousarray(0.5 * (matrix + matrix.T))


def rounded(weights: np.ndarray, hessian: np.ndarray, rate: float, scale: int = 80) -> np.ndarray:
    """Integers of 4 fractional bits."""
    bits, mean, scales = (np.full(weights.size, value, np.int32) for value in (4, 0, scale))
    return native.round_in_turn(weights, native.upper_factor(hessian), bits, mean, scales, rate)


def quadratic(hessian: np.ndarray, error: np.ndarray) -> float:
    return float(0.5 * error @ hessian @ error)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_factor_is_upper_and_multiplies_back(n: int, seed: int) -> None:
    matrix = positive_matrix(np.random.default_rng(seed), n, 0.8)
    factor = native.upper_factor(matrix)
    np.testing.assert_array_equal(factor, np.triu(factor))
    np.testing.assert_allclose(factor @ factor.T, matrix, atol=1e-12)


def test_a_matrix_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="positive definite"):
        native.upper_factor(np.array([[1.0, 2.0], [2.0, 1.0]]))


@given(st.integers(1, 8), st.integers(8, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_a_matrix_of_low_rank_is_found_from_a_few_probes(rank: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, rank))
    matrix = root @ root.T
    probes = rng.normal(size=(2 * rank, n))
    found = native.low_rank_matrix(probes, np.ascontiguousarray(probes @ matrix))
    np.testing.assert_allclose(found, matrix, rtol=1e-3, atol=1e-3 * np.abs(matrix).max())


def test_negative_curvature_is_taken_for_none() -> None:
    probes = np.eye(3)
    found = native.low_rank_matrix(probes, np.diag([2.0, -1.0, 0.0]))
    np.testing.assert_allclose(found, np.diag([2.0, 0.0, 0.0]), atol=1e-12)


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_without_correlation_and_rate_it_rounds_to_nearest(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=n)
    found = rounded(weights, np.diag(rng.uniform(0.5, 2, n)), 0.0)
    np.testing.assert_array_equal(found, np.rint(weights * 16))


def test_correlated_errors_make_each_other_good() -> None:
    rng = np.random.default_rng(0)
    hessian = positive_matrix(rng, 60, 0.8) + 1e-6 * np.eye(60)
    ratios = []
    for _ in range(20):
        weights = rng.normal(size=60)
        plain = quadratic(hessian, weights - np.rint(weights * 16) / 16)
        ratios.append(quadratic(hessian, weights - rounded(weights, hessian, 0.0) / 16) / plain)
    assert np.mean(ratios) < 0.25


def test_integers_are_the_best_ones_where_all_can_be_tried() -> None:
    """For two uncorrelated weights, every pair of integers within reach costs at least as much."""
    rng = np.random.default_rng(1)
    values = np.arange(-8, 9, dtype=np.int32)
    bits = native.laplace_bits(values, np.full(values.size, 70, np.int32))
    for _ in range(50):
        weights, stiff, rate = rng.normal(0, 0.2, 2), rng.uniform(0.1, 3, 2), 10 ** rng.uniform(-5, -2)
        found = rounded(weights, np.diag(stiff), rate, scale=70)
        for w, h, n in zip(weights, stiff, found, strict=True):
            cost = 0.5 * h * (w - values / 16) ** 2 + rate * bits
            assert cost[values == n][0] <= cost.min() * (1 + 1e-12)


def test_bits_are_those_of_the_coder() -> None:
    rng = np.random.default_rng(2)
    values = rng.laplace(0, 6, 20000).astype(np.int32)
    scale = rng.integers(100, 140, values.size).astype(np.int32)
    data = native.laplace_encode(values, np.zeros_like(values), scale)
    assert native.laplace_bits(values, scale).sum() / 8 == pytest.approx(len(data), rel=1e-3)


def test_curvature_of_a_quadratic_loss() -> None:
    """Each block, but for the ridge, maps directions as the true Hessian does; the blocks share nothing."""
    model = load_model(0, 2)
    rng = np.random.default_rng(3)
    n = model.group.size
    root = rng.normal(size=(n, 5))
    rate = (model.group <= curvature_module.LAST_RATE_GROUP)[:, None]
    true = (root * rate) @ (root * rate).T + (root * ~rate) @ (root * ~rate).T
    true *= np.outer(model.coded, model.coded)
    blocks = curvature(model, np.zeros(n, np.float32), lambda p: (true @ p).astype(np.float32), 40)
    assert sorted(np.concatenate([b.index for b in blocks])) == list(np.flatnonzero(model.coded))
    for block in blocks:
        expected = true[np.ix_(block.index, block.index)]
        ridge = curvature_module.RIDGE * np.trace(expected) / len(expected)
        np.testing.assert_allclose(block.hessian, expected + ridge * np.eye(len(expected)), atol=0.02 * ridge)
