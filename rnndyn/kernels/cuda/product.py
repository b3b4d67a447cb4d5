"""Matrix products, tiled in shared memory. Each number of a result is one sum in a fixed order."""

from rnndyn.kernels.cuda.device import SIMULATED, cuda

TILE = 2 if SIMULATED else 16
SIDE = 2 if SIMULATED else 4  # a thread of `multiply` has SIDE x SIDE numbers, in its registers
BLOCK = SIDE * TILE
ROW = BLOCK + 1  # of a tile in shared memory: one more, so that no two threads ask the same bank of it


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


@cuda.jit
def multiply(left, right, transposed, out):
    """``out = left right`` or, where ``right`` is given ``transposed``, ``left right'``."""
    y, x = cuda.threadIdx.y, cuda.threadIdx.x
    top, across = cuda.blockIdx.x * BLOCK, cuda.blockIdx.y * BLOCK
    tile_left = cuda.shared.array((TILE, ROW), left.dtype)
    tile_right = cuda.shared.array((TILE, ROW), left.dtype)
    total = cuda.local.array((SIDE, SIDE), left.dtype)
    for i in range(SIDE):
        for j in range(SIDE):
            total[i, j] = 0
    across_tile, along_tile = (y, x) if transposed else (x, y)  # so that neighbours read neighbours
    for start in range(0, left.shape[1], TILE):
        for i in range(SIDE):
            m, n, d = i * TILE + y, i * TILE + across_tile, start + along_tile
            tile_left[x, m] = 0
            tile_right[along_tile, n] = 0
            if top + m < left.shape[0] and start + x < left.shape[1]:
                tile_left[x, m] = left[top + m, start + x]
            if across + n < out.shape[1] and d < left.shape[1]:
                tile_right[along_tile, n] = right[across + n, d] if transposed else right[d, across + n]
        cuda.syncthreads()
        for d in range(TILE):
            for i in range(SIDE):
                for j in range(SIDE):
                    total[i, j] += tile_left[d, i * TILE + y] * tile_right[d, j * TILE + x]
        cuda.syncthreads()
    for i in range(SIDE):
        for j in range(SIDE):
            m, n = top + i * TILE + y, across + j * TILE + x
            if m < out.shape[0] and n < out.shape[1]:
                out[m, n] = total[i, j]
