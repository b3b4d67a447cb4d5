"""The measurements of the study."""

import numpy as np

import rnndyn as rd

SIZES = (2, 4, 16, 64)
GAINS = (0.5, 1.0, 1.3)
PERIOD = 3
SEED = 0


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    steps = 300 if quick else 4000
    rng = np.random.default_rng(SEED)
    return {
        "gaussian": [gaussian(n, steps, rng) for n in SIZES[: 3 if quick else None]],
        "coverage": coverage(4, 500 if quick else 1000, 10 if quick else 200, rng),
        "orthogonal": [orthogonal(gain, 16, steps // 4, rng) for gain in GAINS],
        "periodic": periodic(4, steps // 2, rng),
    }


def exact(n: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Exponents, and the exact standard error of those of a product of so many factors."""
    return rd.theory.random_matrix_exponents(n), np.sqrt(rd.theory.random_matrix_variances(n) / steps)


def gaussian(n: int, steps: int, rng: np.random.Generator) -> dict:
    """One product of Gaussian matrices of unit variance."""
    found = rd.lyapunov_from_jacobians(rng.standard_normal((n, n)) for _ in range(steps))
    exponent, stderr = exact(n, steps)
    return {
        "size": n,
        "steps": steps,
        "measured": found.exponent.values.tolist(),
        "stderr": found.stderr.values.tolist(),
        "exact": exponent.tolist(),
        "exact_stderr": stderr.tolist(),
        "sum_rule_defect": float(found.sum_rule_defect),
    }


def coverage(n: int, steps: int, repeats: int, rng: np.random.Generator) -> dict:
    """Share of products whose interval of 1.96 standard errors holds the exact exponent."""
    exponent, _ = exact(n, steps)
    held = np.zeros(n)
    for _ in range(repeats):
        found = rd.lyapunov_from_jacobians(rng.standard_normal((steps, n, n)))
        held += np.abs(found.exponent.values - exponent) < 1.96 * found.stderr.values
    return {"size": n, "steps": steps, "repeats": repeats, "share": (held / repeats).tolist()}


def orthogonal(gain: float, n: int, steps: int, rng: np.random.Generator) -> dict:
    """Largest departure of an exponent from ln g, for Haar-distributed matrices times g."""

    def factor() -> np.ndarray:
        Q, R = np.linalg.qr(rng.standard_normal((n, n)))
        return gain * Q * np.sign(np.diag(R))

    exponent = rd.lyapunov_from_jacobians(factor() for _ in range(steps)).exponent.values
    return {
        "gain": gain,
        "size": n,
        "expected": float(np.log(gain)),
        "defect": float(np.abs(exponent - np.log(gain)).max()),
    }


def periodic(n: int, steps: int, rng: np.random.Generator) -> dict:
    """Three matrices over and over, and their transposes in the same order, beside the eigenvalues of both products."""
    matrices = rng.standard_normal((PERIOD, n, n))
    cases = {"J Q": matrices, "J' Q": matrices.transpose(0, 2, 1)}
    return {
        name: {
            "measured": rd.lyapunov_from_jacobians(np.tile(J, (steps, 1, 1))).exponent.values.tolist(),
            "expected": by_eigenvalues(J).tolist(),
        }
        for name, J in cases.items()
    }


def by_eigenvalues(J: np.ndarray) -> np.ndarray:
    """Exponents of a product that repeats the given matrices, the first of which acts first."""
    return np.sort(np.log(np.abs(np.linalg.eigvals(np.linalg.multi_dot(J[::-1])))))[::-1] / len(J)
