"""Matrix products, tiled in shared memory. Each number of a result is one sum in a fixed order."""

from rnndyn.kernels.cuda.device import SIMULATED, cuda

TILE = 2 if SIMULATED else 16


def tiles(size):
    """Number of tiles that cover ``size`` numbers."""
    return -(-size // TILE)


@cuda.jit
def outer(left, first, right, out, offset, length):
    """``out[c, m, n] += sum left[b, t, first + m] right[b, t, n]`` over the samples (b, t) of chunk ``c``.

    ``left`` and ``right`` are part of a batch, from its sample ``offset`` on; chunk ``c`` has its samples from ``c
    length`` to ``(c + 1) length``. So the parts may be added one after the other, with the same bits. ``out`` has one
    more column than ``right``, for the sum of ``left``.
    """
    y, x, chunk = cuda.threadIdx.y, cuda.threadIdx.x, cuda.blockIdx.z
    m, n = cuda.blockIdx.x * TILE + y, cuda.blockIdx.y * TILE + x
    steps, width = left.shape[1], right.shape[2]
    begin, stop = max(chunk * length - offset, 0), min((chunk + 1) * length - offset, left.shape[0] * steps)
    tile_left = cuda.shared.array((TILE, TILE), left.dtype)
    tile_right = cuda.shared.array((TILE, TILE), left.dtype)
    inside = m < out.shape[1] and n < out.shape[2]
    total = out[chunk, m if inside else 0, n if inside else 0]
    for start in range(begin, stop, TILE):
        sample, column = start + y, cuda.blockIdx.x * TILE + x
        tile_left[y, x] = 0
        tile_right[y, x] = 1 if n == width else 0
        if sample < stop and column < out.shape[1]:
            tile_left[y, x] = left[sample // steps, sample % steps, first + column]
        if sample < stop and n < width:
            tile_right[y, x] = right[sample // steps, sample % steps, n]
        cuda.syncthreads()
        for i in range(TILE):
            total += tile_left[i, y] * tile_right[i, x]
        cuda.syncthreads()
    if inside:
        out[chunk, m, n] = total


@cuda.jit
def affine(left, first, W, b, out):
    """``out[n, j] = b[j] + sum_d left[n, first + d] W[d, j]``."""
    y, x = cuda.threadIdx.y, cuda.threadIdx.x
    n, j = cuda.blockIdx.x * TILE + y, cuda.blockIdx.y * TILE + x
    tile_left = cuda.shared.array((TILE, TILE), left.dtype)
    tile_right = cuda.shared.array((TILE, TILE), left.dtype)
    inside = n < out.shape[0] and j < out.shape[1]
    total = b[j if inside else 0]
    for start in range(0, W.shape[0], TILE):
        tile_left[y, x] = 0
        tile_right[y, x] = 0
        if n < out.shape[0] and start + x < W.shape[0]:
            tile_left[y, x] = left[n, first + start + x]
        if start + y < W.shape[0] and j < out.shape[1]:
            tile_right[y, x] = W[start + y, j]
        cuda.syncthreads()
        for i in range(TILE):
            total += tile_left[y, i] * tile_right[i, x]
        cuda.syncthreads()
    if inside:
        out[n, j] = total
