"""``minibn.kernels.njit``: a caller's compiled function is never older than what it calls."""

import numba
import numpy as np
import pytest
from cases import needs_jit
from places import CALL, CALLER, block_caches, copy_package, no_folder, play, write

from minibn import kernels
from minibn.kernels.callees import dependencies, plain


@pytest.fixture
def place(tmp_path):
    return copy_package(tmp_path)


def change_relu(place):
    """Make the copy's ReLU add 1."""
    path = place / "minibn" / "kernels" / "cpu" / "activations.py"
    text, rule = path.read_text(), "value if not value <= 0 else"
    assert text.count(rule) == 1
    path.write_text(text.replace(rule, rule.replace("value if", "value + 1 if")))


@needs_jit
@pytest.mark.subprocess
def test_a_changed_kernel_reaches_a_cached_caller_where_numba_keeps_the_old_one(python, place):
    write(
        place,
        ours=CALLER.format(source="minibn.kernels", options=""),
        theirs=CALLER.format(source="numba", options="cache=True"),
    )
    program = CALL.format(module="ours") + CALL.format(module="theirs")
    assert play(python, place, program) == ["3.0", "0", "3.0", "0"]
    change_relu(place)
    assert play(python, place, program) == ["4.0", "0", "3.0", "1"]  # Numba's is stale: the trap is real
    assert play(python, place, program) == ["4.0", "1", "3.0", "1"]


INNER = """
from minibn.kernels import njit
@njit
def scale(x):
    return x * {factor}
"""
OUTER = """
import numbers_of_mine
import inner
from minibn.kernels import njit
@njit
def direct(x):
    return inner.scale(x) + numbers_of_mine.OFFSET
"""
OUTER_CALL = "import outer; print(outer.direct(2.0), sum(outer.direct.stats.cache_hits.values()))"


@needs_jit
@pytest.mark.subprocess
def test_changes_in_the_callers_own_modules_are_noticed(python, place):
    write(place, inner=INNER.format(factor=10), numbers_of_mine="OFFSET = 1", outer=OUTER)
    assert play(python, place, OUTER_CALL) == ["21.0", "0"]
    write(place, inner=INNER.format(factor=20))
    assert play(python, place, OUTER_CALL) == ["41.0", "0"]
    write(place, numbers_of_mine="OFFSET = 5")
    assert play(python, place, OUTER_CALL) == ["45.0", "0"]


OPTIONS = """
import os
from {source} import njit
@njit({cache}error_model=os.environ["MODEL"])
def rectify(x, y):
    return x[0] / y[0]
"""


@needs_jit
@pytest.mark.subprocess
def test_options_of_the_decorator_are_told_apart(python, place):
    """Division by zero: inf under NumPy's error model, an exception under Python's."""
    write(
        place,
        ours=OPTIONS.format(source="minibn.kernels", cache=""),
        theirs=OPTIONS.format(source="numba", cache="cache=True, "),
    )
    program = """
import numpy as np
for module in ("ours", "theirs"):
    rectify = __import__(module).rectify
    try: print(rectify(np.ones(1), np.zeros(1)))
    except ZeroDivisionError: print("raised")
    print(sum(rectify.stats.cache_hits.values()))
"""
    assert play(python, place, program, MODEL="numpy") == ["inf", "0", "inf", "0"]
    # Numba's own cache answers with the code of the other options.
    assert play(python, place, program, MODEL="python") == ["raised", "0", "inf", "1"]
    assert play(python, place, program, MODEL="numpy") == ["inf", "1", "inf", "1"]  # none displaced another


BLOCKED = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from ours import rectify
    from minibn.kernels import njit
    exec("def add(a, b): return a + b")
    import numpy as np
    print(rectify(np.array([3.0]), np.zeros(1)), njit(add)(1, 2), *(" uncached " in str(w.message) for w in caught))
"""


@needs_jit
@pytest.mark.subprocess
def test_without_a_folder_or_a_source_file_a_caller_runs_uncached(python, place):
    write(place, ours=CALLER.format(source="minibn.kernels", options=""))
    block_caches(place)
    assert play(python, place, BLOCKED, **no_folder(place)) == ["3.0", "3", "True"]
    typed = "from minibn.kernels import njit\nexec('def add(a, b): return a + b')\nprint(njit(add)(1, 2))"
    assert play(
        python,
        place,
        f"import warnings; warnings.simplefilter('error')\n{typed}",
        PYTHONDONTWRITEBYTECODE="1",
    ) == ["3"]


def test_all_ways_to_decorate():
    def add(a, b):
        return a + b

    ways = [
        kernels.njit(add),
        kernels.njit()(add),
        kernels.njit("float64(float64, float64)")(add),
        kernels.njit(["float64(float64, float64)", "int64(int64, int64)"], cache=False)(add),
        kernels.njit(numba.float64(numba.float64, numba.float64), nogil=True)(add),
        kernels.njit(fastmath={"contract"}, error_model="numpy", cache=True)(add),
        kernels.njit(inline="always", boundscheck=True)(add),
    ]
    assert [way(1.0, 2.0) for way in ways] == [3.0] * len(ways)


@needs_jit
def test_signatures_are_compiled_at_once_and_no_other_is():
    def add(a, b):
        return a + b

    eager = kernels.njit("float64(float64, float64)")(add)
    assert len(eager.signatures) == 1
    assert eager(1, 2) == 3.0 and len(eager.signatures) == 1
    with pytest.raises(TypeError):
        eager("a", "b")


@needs_jit
def test_a_compiled_function_is_refused_as_numba_does():
    with pytest.raises(TypeError, match="already jitted"):
        kernels.njit(kernels.relu_forward)


OFFSET, TABLE = 3, np.arange(3)


@numba.njit
def _part(x):
    return x + OFFSET


def test_what_a_function_names_is_found():
    def calls():
        return (_part(1), TABLE[0], np.pi, kernels.relu_forward)

    found = dict(dependencies(calls))
    names = {name.split(": ")[-1] for name in found}
    inside = isinstance(_part, numba.core.dispatcher.Dispatcher)
    assert names == {"TABLE", "np.pi"} | ({__file__, "OFFSET"} if inside else set())
    assert dependencies(calls) == dependencies(calls)


def test_options_have_one_text():
    left, right = (
        {"fastmath": {"nsz", "contract"}, "nogil": True},
        {"nogil": True, "fastmath": {"contract", "nsz"}},
    )
    assert plain(left) == plain(right)
    assert plain(left) != plain(left | {"nogil": False})
    assert " at 0x" not in plain({"inline": test_options_have_one_text})
    assert plain(np.arange(3)) != plain(np.arange(3.0))


CHANGED_NUMBA = """
    import numba.core.compiler_machinery as machinery
    import numba.core.untyped_passes as passes
    {change}
    import numpy as np
    from minibn import kernels
    y = np.empty(9)
    kernels.tanh_forward(np.linspace(-1, 1, 9), y)
    print(y.tobytes().hex(), sum(kernels.tanh_forward.stats.cache_hits.values()))
    try: print(__import__("minibn.kernels.inlining").__name__)
    except ImportError: print("absent")
"""
CHANGES = [
    "",
    "del machinery.PassManager",
    "work = passes.InlineInlinables._do_work; passes.InlineInlinables._do_work = lambda *a: work(*a)",
]


@needs_jit
@pytest.mark.subprocess
def test_kernels_compile_where_numba_has_another_inliner(python, tmp_path):
    programs = [CHANGED_NUMBA.format(change=change) for change in CHANGES]
    runs = [python(p, NUMBA_CACHE_DIR=str(tmp_path / str(n))).split() for n, p in enumerate(programs)]
    assert [run[1:] for run in runs] == [["0", "minibn"], ["0", "absent"], ["0", "absent"]]
    assert runs[0][0] == runs[1][0] == runs[2][0]
