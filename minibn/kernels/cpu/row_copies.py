"""Copies of single rows, in vectors: a plain loop over few columns spends most of its time around the vectors."""

from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from minibn.kernels.cpu.lanes import INDEX, Lanes


def _copy(builder, lanes, source, target, columns):
    """Emit the copy of a row in whole lines, of which the last two may overlap; less than a line is masked."""
    count = INDEX(lanes.count)
    last = builder.sub(columns, count)
    with builder.if_else(builder.icmp_signed(">=", last, INDEX(0)), likely=True) as (wide, narrow):
        with wide:
            with cgutils.for_range_slice(builder, INDEX(0), last, count) as (first, _):
                lanes.store(lanes.load(source, first), target, first)
            lanes.store(lanes.load(source, last), target, last)
        with narrow:
            mask = lanes.mask(INDEX(0), columns)
            lanes.store(lanes.load(source, INDEX(0), mask), target, INDEX(0), mask)


@intrinsic
def _copy_row(typing_context, x, row, target, place):
    def codegen(context, builder, signature, arguments):
        source, out = (make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2))
        columns = cgutils.unpack_tuple(builder, source.shape, 2)[1]
        start = builder.gep(source.data, [builder.mul(arguments[1], columns)])
        lanes = Lanes(context, builder, target.dtype)
        _copy(builder, lanes, start, builder.gep(out.data, [arguments[3]]), columns)
        return context.get_dummy_value()

    return types.void(x, types.intp, target, types.intp), codegen


def _plain_copy_row(x, row, target, place):
    """Copy a row of a C-contiguous matrix to ``target[place:]``, of the same dtype."""
    target[place : place + x.shape[1]] = x[row]


copy_row = _plain_copy_row if config.DISABLE_JIT else _copy_row  # type: ignore[attr-defined]
