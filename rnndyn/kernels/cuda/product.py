"""Matrix products, tiled in shared memory and registers. Each number of a result is one sum in a fixed order.

A block has a tile of BLOCK x BLOCK numbers of the result, a thread SIDE x SIDE of them, in its registers.
"""

from rnndyn.kernels.cuda.device import SIMULATED, cuda

TILE = 2 if SIMULATED else 16
SIDE = 2 if SIMULATED else 4
BLOCK = SIDE * TILE
ROW = BLOCK + 1  # of a tile in shared memory: one more, so that no two threads ask the same bank of it


def blocks(size):
    """Number of blocks that cover ``size`` numbers."""
    return -(-size // BLOCK)


@cuda.jit(device=True)
def add_tiles(total, left, right):
    """Add the product of two tiles, ``left' right``, to the thread's numbers."""
    y, x = cuda.threadIdx.y, cuda.threadIdx.x
    for d in range(TILE):
        for i in range(SIDE):
            for j in range(SIDE):
                total[i, j] += left[d, i * TILE + y] * right[d, j * TILE + x]


@cuda.jit
def outer(left, first, right, out, offset, length):
    """``out[c, m, n] += sum left[b, t, first + m] right[b, t, n]`` over the samples (b, t) of chunk ``c``.

    ``left`` and ``right`` are part of a batch, from its sample ``offset`` on; chunk ``c`` has its samples from ``c
    length`` to ``(c + 1) length``. So the parts may be added one after the other, with the same bits. The last
    column of ``out`` is the sum of ``left``; before it is what is wanted of ``right``.
    """
    y, x, chunk = cuda.threadIdx.y, cuda.threadIdx.x, cuda.blockIdx.z
    top, across = cuda.blockIdx.x * BLOCK, cuda.blockIdx.y * BLOCK
    steps, rows, width = left.shape[1], out.shape[1], out.shape[2] - 1
    begin, stop = max(chunk * length - offset, 0), min((chunk + 1) * length - offset, left.shape[0] * steps)
    tile_left = cuda.shared.array((TILE, ROW), left.dtype)
    tile_right = cuda.shared.array((TILE, ROW), left.dtype)
    total = cuda.local.array((SIDE, SIDE), left.dtype)
    for i in range(SIDE):
        for j in range(SIDE):
            m, n = top + i * TILE + y, across + j * TILE + x
            total[i, j] = 0
            if m < rows and n <= width:
                total[i, j] = out[chunk, m, n]
    for start in range(begin, stop, TILE):
        b, t, inside = (start + y) // steps, (start + y) % steps, start + y < stop
        for i in range(SIDE):
            m, n = top + i * TILE + x, across + i * TILE + x
            tile_left[y, i * TILE + x] = 0
            tile_right[y, i * TILE + x] = 1 if n == width else 0
            if inside and m < rows:
                tile_left[y, i * TILE + x] = left[b, t, first + m]
            if inside and n < width:
                tile_right[y, i * TILE + x] = right[b, t, n]
        cuda.syncthreads()
        add_tiles(total, tile_left, tile_right)
        cuda.syncthreads()
    for i in range(SIDE):
        for j in range(SIDE):
            m, n = top + i * TILE + y, across + j * TILE + x
            if m < rows and n <= width:
                out[chunk, m, n] = total[i, j]


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
        add_tiles(total, tile_left, tile_right)
        cuda.syncthreads()
    for i in range(SIDE):
        for j in range(SIDE):
            m, n = top + i * TILE + y, across + j * TILE + x
            if m < out.shape[0] and n < out.shape[1]:
                out[m, n] = total[i, j]


def product(left, right, out, *, transposed=False):
    """Launch of ``out = left right``, or ``left right'``, of matrices in device memory."""
    return lambda: multiply[tuple(map(blocks, out.shape)), (TILE, TILE)](left, right, transposed, out)
