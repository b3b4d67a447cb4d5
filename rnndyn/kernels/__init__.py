"""The loops: forward, backward, tangent and Jacobian passes over register tile and SIMD number; no cell by name."""
