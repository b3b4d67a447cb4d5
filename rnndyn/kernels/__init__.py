"""The loops: forward, backward, tangent and Jacobian passes over the register tile and the SIMD number; no cell by name."""
