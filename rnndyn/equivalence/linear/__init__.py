"""Linear networks with noise: state space, Kalman filter and smoother, VARMA, and what fits data best."""
