"""The mathematics of one step of one unit, once per cell.

A cell is a class whose *type* selects its formulas inside the compiled kernels. Its file holds, for one unit,

``update(p, a, s, q) -> s'``
    the new state from the pre-activations ``a``, the old state ``s`` and the per-unit parameters ``q``;
``partials(p, a, s, q) -> Da, Ds, Dq``
    directly below it, the derivatives ``Da[c][k] = d s'_c / d a_k`` and likewise for ``s`` and ``q``;

in ordinary arithmetic on scalars. The kernels call the same functions on whole SIMD registers. ``Cell.drives`` says
what forms each pre-activation: ``"x"`` the input, ``"h"`` the state ``h``, ``"m"`` the quantity ``rate(p, a, s)`` that
a cell may send through ``W_hh`` in place of ``h``. With ``W`` the rows of one pre-activation, everything else follows:

* Jacobian ``sum_k diag(Da_k) W_k + Ds``, tangent ``ds' = Da (W ds_h) + Ds ds``,
* adjoint ``la = Da' l'``, ``l = Ds' l' + W' la``, ``dW += la h'``, ``dq += Dq' l'``.

To add a cell, write one such file and a class in :mod:`rnndyn.networks` that names its weights.
"""
