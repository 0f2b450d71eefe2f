"""How parts are merged into kernels: Numba's own way, without its copies.

Numba copies the code of each function that it inlines twice, object by object, so that the function could be
inlined again; for kernels made of nested parts that took a sixth of the time of compiling them. But that code is
made anew for every call of a part, and so is nobody else's.

This builds on what Numba does not promise. Where a version has it no more, importing this module fails, and the
kernels are compiled by Numba's own passes.
"""

import inspect

from numba.core import ir
from numba.core.compiler import DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.inline_closurecall import InlineWorker
from numba.core.untyped_passes import InlineInlinables

_EXPECTED = {
    InlineInlinables._do_work: ("self", "state", "work_list", "block", "i", "expr", "inline_worker"),
    InlineWorker.__init__: (
        "self", "typingctx", "targetctx", "locals", "pipeline", "flags", "validator", "typemap", "calltypes",
    ),
    InlineWorker.run_untyped_passes: ("self", "func", "enable_ssa"),
}  # fmt: skip


def _check():
    for function, names in _EXPECTED.items():
        if tuple(inspect.signature(function).parameters) != names:
            raise ImportError(f"{function.__qualname__} of this Numba takes other arguments")


_check()


class _Block(ir.Block):
    """A block of code that is its own copy."""

    def __deepcopy__(self, memo):
        return self


class _Worker(InlineWorker):
    """Inlines without copies, also within what it inlines."""

    def __init__(self, like):
        super().__init__(
            like.typingctx, like.targetctx, like.locals, like.pipeline, like.flags, validator=like.validator
        )
        self._compiler_pipeline = _untyped_passes

    def run_untyped_passes(self, func, enable_ssa=False):
        found = super().run_untyped_passes(func, enable_ssa)
        for block in found.blocks.values():
            block.__class__ = _Block
        return found


@register_pass(mutates_CFG=True, analysis_only=False)
class _InlineParts(InlineInlinables):
    """Numba's pass, with another worker."""

    _name = "minibn_inline_parts"

    def _do_work(self, state, work_list, block, i, expr, inline_worker):
        done = super()._do_work(state, work_list, block, i, expr, _Worker(inline_worker))
        for inlined in state.func_ir.blocks.values():
            inlined.__class__ = ir.Block
        return done


def _with_parts(manager):
    """Return the same passes with ours in place of Numba's."""
    passes = PassManager(manager.pipeline_name)
    passes.passes = [
        (_InlineParts, text) if step is InlineInlinables else (step, text) for step, text in manager.passes
    ]
    passes.finalize()
    return passes


def _untyped_passes(state):
    return _with_parts(DefaultPassBuilder.define_untyped_pipeline(state))


def kernel_passes(state):
    """Return the passes that a kernel is compiled by."""
    return _with_parts(DefaultPassBuilder.define_nopython_pipeline(state))
