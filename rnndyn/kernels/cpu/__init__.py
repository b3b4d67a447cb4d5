"""Kernels for the processor.

Arrays, in the order of their axes; a unit's index is (block, lane), padded by zeros to whole registers:

====== ============================================ ================================================================
``x``  (batch, time, input)                         inputs
``s``  (time + 1, batch, component, block, lane)    states, or a ring of two of them
``a``  (time, row, pre-activation, block, lane)     pre-activations: the tape, or a buffer that is used over and over
``m``  (time, row, block, lane)                     rates, where a cell sends them through ``W_hh`` in place of ``h``
``y``  (batch, time, component, unit)               states as the caller wants them
====== ============================================ ================================================================
"""
