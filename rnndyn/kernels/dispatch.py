"""From the type of a network's packed weights to its cell: its formulas, its sizes, its tiles."""

from functools import cache

from numba import types
from numba.extending import intrinsic, models, overload, register_model

from rnndyn.cells import contract
from rnndyn.kernels.cache import formulas
from rnndyn.kernels.jit import INLINED, ROWS, formula, stands_for
from rnndyn.kernels.tile import tile
from rnndyn.kernels.tuples import gather

# Panels that a single row takes at once, so that its sums, each a chain, hide one another's latency.
PANELS = {1: 8, 2: 4, 3: 3, 4: 2}


class Kind(types.Opaque):
    """Numba type that stands for a cell and holds nothing."""

    def __init__(self, cell):
        self.cell = cell
        super().__init__(name=f"Kind({cell.__module__}.{cell.__name__})")

    @property
    def key(self):
        """What makes two of them equal: the cell itself, for in a notebook it may be defined again under its name."""
        return self.cell


register_model(Kind)(models.OpaqueModel)


def kind(p):
    """The cell of the packed weights ``p``."""
    return type(p)


@intrinsic
def _kind(typing, p):
    register_formulas(p.instance_class)

    def codegen(context, builder, signature, args):
        return context.get_dummy_value()

    return Kind(p.instance_class)(p), codegen


@overload(kind)
def _overload_kind(p):
    return lambda p: _kind(p)


def member(p, n):
    """Weights of network ``n``, of those of several networks, whose arrays have an axis more in front."""
    return type(p)(*(part[n] for part in p))


@overload(member, jit_options=INLINED)
def _member(p, n):
    cell = p.instance_class
    return lambda p, n: cell(p.W_x[n], p.W_h[n], p.W_m[n], p.W_xT[n], p.W_hT[n], p.W_mT[n], p.b[n], p.q[n])


_registered: set = set()


def register_formulas(cell):
    """Let compiled code call the functions that a cell is made of."""
    for function in formulas(cell):
        if function not in _registered:
            _registered.add(function)
            formula(function)


@overload(contract.update, jit_options=INLINED)
def _update(p, a, s, q):
    function = p.cell.update
    return lambda p, a, s, q: function(p, a, s, q)


@overload(contract.partials, jit_options=INLINED)
def _partials(p, a, s, q):
    function = p.cell.partials
    return lambda p, a, s, q: function(p, a, s, q)


@overload(contract.activate, jit_options=INLINED)
def _activate(p, a, s, q):
    function = p.cell.activate
    if function is None:
        return lambda p, a, s, q: a
    return lambda p, a, s, q: function(p, a, s, q)


@overload(contract.update_from, jit_options=INLINED)
def _update_from(p, g, s, q):
    function = p.cell.update_from or p.cell.update
    return lambda p, g, s, q: function(p, g, s, q)


@overload(contract.partials_from, jit_options=INLINED)
def _partials_from(p, g, s, q):
    function = p.cell.partials_from or p.cell.partials
    return lambda p, g, s, q: function(p, g, s, q)


@overload(contract.rate, jit_options=INLINED)
def _rate(p, a, s):
    function = p.cell.rate
    if function is None:
        return lambda p, a, s: s[0]
    return lambda p, a, s: function(p, a, s)


@overload(contract.rate_partials, jit_options=INLINED)
def _rate_partials(p, a, s):
    function = p.cell.rate_partials
    if function is None:
        return lambda p, a, s: (a, s)
    return lambda p, a, s: function(p, a, s)


@intrinsic
def _kind_within(typing, p):
    def codegen(context, builder, signature, args):
        return context.get_dummy_value()

    return Kind(p.cell.within)(p), codegen


@overload(contract.within, jit_options=INLINED)
def _within(p):
    return lambda p: _kind_within(p)


@overload(contract.phi, jit_options=INLINED)
def _phi(p, x):
    function = p.cell.activation.value
    return lambda p, x: function(x)


@overload(contract.dphi, jit_options=INLINED)
def _dphi(p, x):
    function = p.cell.activation.slope
    return lambda p, x: function(x)


@cache
def slots(cell, source):
    """First pre-activation that ``source`` drives, and how many do; they stand side by side."""
    driven = [k for k, drive in enumerate(cell.drives) if source in drive]
    return (driven[0], len(driven)) if driven else (0, 0)


def widest(cell):
    """Most pre-activations that one source drives."""
    return max(max(slots(cell, source)[1] for source in "xhm"), 1)


def of_cell(function):
    """Let compiled code have a number that is a function of the cell alone."""

    @stands_for(function)
    def number(typing, k):
        found = function(k.cell)
        ty = types.boolean if isinstance(found, bool) else types.intp
        return ty(k), lambda context, builder, signature, args: context.get_constant(ty, found)

    return function


def of_source(function):
    """Let compiled code have a number that is a function of the cell and of what drives it."""

    @stands_for(function, prefer_literal=True)
    def number(typing, k, source):
        if not isinstance(source, types.StringLiteral):
            return None
        found = function(k.cell, source.literal_value)
        return types.intp(k, source), lambda context, builder, signature, args: context.get_constant(types.intp, found)

    return function


@of_source
def first_slot(k, source):
    """First pre-activation that ``source`` drives."""
    return slots(k, source)[0]


@of_source
def slot_count(k, source):
    """Number of pre-activations that ``source`` drives."""
    return slots(k, source)[1]


@of_cell
def block_rows(k):
    """Rows of the tiles that form this cell's pre-activations."""
    return ROWS[max(widest(k), 2)]


@of_cell
def row_panels(k):
    """Blocks of units that a single row takes at once."""
    return PANELS[widest(k)]


@of_cell
def parameter_count(k):
    """Number of per-unit parameters that are trained."""
    return k.parameters if k.trainable else 0


@of_cell
def activates(k):
    """Whether what stands on a tape are the activated pre-activations of this cell."""
    return k.activate is not None


@of_cell
def tile_blocks(k):
    """Blocks of units that a tile of many rows takes at once: two where a block has one pre-activation only."""
    return 2 if widest(k) == 1 else 1


def product(k, source, rows, out, init, left, right, depth):
    """Tile over all pre-activations that ``source`` drives; ``rows`` is 1 or ``block_rows(k)``."""
    tile(rows, slots(k, source)[1], out, init, left, right, depth)


@overload(product, prefer_literal=True, jit_options=INLINED)
def _product(k, source, rows, out, init, left, right, depth):
    many, columns = block_rows(k.cell), slots(k.cell, source.literal_value)[1]

    def implementation(k, source, rows, out, init, left, right, depth):
        if rows == many:
            tile(many, columns, out, init, left, right, depth)
        else:
            tile(1, columns, out, init, left, right, depth)

    return implementation


def paired_product(k, rows, out, init, left, right, depth):
    """Tile over two blocks of units of a cell with one pre-activation; ``rows`` is 1 or ``block_rows(k)``."""
    tile(rows, 2, out, init, left, right, depth)


@overload(paired_product, jit_options=INLINED)
def _paired_product(k, rows, out, init, left, right, depth):
    many = block_rows(k.cell)
    if tile_blocks(k.cell) == 1:
        return lambda k, rows, out, init, left, right, depth: None

    def implementation(k, rows, out, init, left, right, depth):
        if rows == many:
            tile(many, 2, out, init, left, right, depth)
        else:
            tile(1, 2, out, init, left, right, depth)

    return implementation


def wide_product(k, source, panels, out, init, left, right, depth):
    """Tile of a single row over several blocks of units; ``panels`` is 1 or ``row_panels(k)``."""
    tile(panels, slots(k, source)[1], out, init, left, right, depth)


@overload(wide_product, prefer_literal=True, jit_options=INLINED)
def _wide_product(k, source, panels, out, init, left, right, depth):
    many, columns = row_panels(k.cell), slots(k.cell, source.literal_value)[1]

    def implementation(k, source, panels, out, init, left, right, depth):
        if panels == many:
            tile(many, columns, out, init, left, right, depth)
        else:
            tile(1, columns, out, init, left, right, depth)

    return implementation


def pre_activations(k, a, index):
    """Pre-activations of the units at ``index`` of ``a`` (time, row, slot, block)."""
    return gather(a, index, 2, len(k.drives))


@overload(pre_activations, jit_options=INLINED)
def _pre_activations(k, a, index):
    count = len(k.cell.drives)
    return lambda k, a, index: gather(a, index, 2, count)


def states(k, s, index):
    """States of the units at ``index`` of ``s`` (time, row, component, block)."""
    return gather(s, index, 2, k.states)


@overload(states, jit_options=INLINED)
def _states(k, s, index):
    count = k.cell.states
    return lambda k, s, index: gather(s, index, 2, count)


def parameters(k, q, block):
    """Per-unit parameters of one block of units."""
    return gather(q, (0, block, 0), 0, k.parameters)


@overload(parameters, jit_options=INLINED)
def _parameters(k, q, block):
    count = k.cell.parameters
    return lambda k, q, block: gather(q, (0, block, 0), 0, count)
