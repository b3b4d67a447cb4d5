"""Random linear networks with noise, and all that is to be known of them, by one big Gaussian."""

import naive
import numpy as np

import rnndyn as rd


def covariance(rng, k):
    """A random one."""
    M = rng.standard_normal((k, k))
    return M @ M.T / k


def system(rng, n=3, O=2, I=0, radius=0.9, **fields):
    """A random network with every array nonzero, of this spectral radius."""
    A = rng.standard_normal((n, n))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    arrays = {"W_hy": rng.standard_normal((O, n)), "b_y": 3 * rng.standard_normal(O)}
    arrays |= {"process_noise": covariance(rng, n), "observation_noise": covariance(rng, O)}
    return rd.Linear(rng.standard_normal((n, I)), A, rng.standard_normal(n), **(arrays | fields))


def data(rng, T, O, missing=0.2):
    """Random outputs with missing values."""
    y = 3 * rng.standard_normal((T, O))
    y[rng.random((T, O)) < missing] = np.nan
    return y


def joint(net, y, x=None, m=None, P=None):
    """Log-likelihood and moments of all states given all of y, by one big Gaussian."""
    A, V, Q, R = net.W_hh, net.W_hy, net.process_noise, net.observation_noise
    n, T = len(A), len(y)
    m = np.linalg.solve(np.eye(n) - A, net.b_h) if m is None else m
    P = naive.stationary_covariance(A, Q, 5000) if P is None else P
    into = np.zeros((T, n)) if x is None else x @ net.W_xh.T
    means, states, outputs = naive.dense_gaussian(A, V, Q, R, m + into[0], P, net.b_h + into, T)
    residual = (y - means @ V.T - net.b_y).ravel()
    there = ~np.isnan(residual)
    cross = (states @ np.kron(np.eye(T), V).T)[:, there]
    gain = np.linalg.solve(outputs[np.ix_(there, there)], cross.T).T
    smoothed = means.ravel() + gain @ residual[there]
    cov = (states - gain @ cross.T).reshape(T, n, T, n)
    return naive.gaussian_loglik(residual, outputs), smoothed.reshape(T, n), np.einsum("titj->tij", cov)
