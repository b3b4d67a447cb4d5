"""Closed forms and mean-field theory that measured spectra are compared with. It needs NumPy and SciPy only."""

from rnndyn.theory.mean_field import MeanField, mean_field
from rnndyn.theory.random_matrices import random_matrix_exponents, random_matrix_variances
from rnndyn.theory.rest import Factors, gru_at_rest, leaky_at_rest, lstm_at_rest

__all__ = [
    "Factors",
    "MeanField",
    "gru_at_rest",
    "leaky_at_rest",
    "lstm_at_rest",
    "mean_field",
    "random_matrix_exponents",
    "random_matrix_variances",
]
