"""NumPy's functions called with a Tensor: recorded on the tape, or one line that says what to do."""

import operator

import numpy as np
import pytest

from minibn.autograd import Tensor, gradcheck
from minibn.errors import DtypeError

A = np.random.default_rng(0).uniform(1, 2, (3, 3))
B = np.random.default_rng(1).uniform(1, 2, (3, 3))

RECORDED = {
    "mean": np.mean,
    "mean of an axis": lambda a: np.mean(a, axis=0),
    "mean that keeps": lambda a: np.mean(a, axis=(0, 1), keepdims=True),
    "sum": np.sum,
    "sum of an axis": lambda a: np.sum(a, -1, keepdims=True),
    "exp": np.exp,
    "log": np.log,
    "negative": np.negative,
    "add": lambda a: np.add(a, B),
    "add, the other way": lambda a: np.add(B, a),
    "subtract": lambda a: np.subtract(B, a),
    "multiply": lambda a: np.multiply(2.0, a),
    "divide": lambda a: np.divide(a, B),
    "matmul": lambda a: np.matmul(B, a),
    "both": lambda a: np.add(a, a),
}


@pytest.mark.parametrize("name", RECORDED)
def test_what_the_tape_knows_is_recorded(name):
    call, a = RECORDED[name], Tensor(A.copy(), requires_grad=True)
    result = call(a)
    assert isinstance(result, Tensor) and result.requires_grad
    np.testing.assert_allclose(result.data, call(A), rtol=1e-15)
    assert gradcheck(call, [a])


def test_an_array_that_grows_in_place_becomes_a_tensor():
    total, a = np.zeros((3, 3)), Tensor(A.copy(), requires_grad=True)
    total += a
    np.testing.assert_array_equal(total.data, A)
    assert isinstance(total, Tensor) and total.node is not None


REFUSED = {
    "max": np.max,
    "min": lambda a: np.min(a, axis=0),
    "prod": np.prod,
    "any": np.any,
    "all": np.all,
    "sqrt": np.sqrt,
    "abs": lambda a: np.absolute(a),
    "maximum": lambda a: np.maximum(a, 0.0),
    "add.accumulate": np.add.accumulate,
    "add": lambda a: np.add(a, B, out=np.empty((3, 3))),
    "power": lambda a: operator.pow(B, a),
    "less": lambda a: operator.lt(B, a),
    "equal": lambda a: operator.eq(B, a),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_does_not_know_is_one_line(name):
    call, a = REFUSED[name], Tensor(A.copy(), requires_grad=True)
    known = "absolute" if name == "abs" else name
    with pytest.raises(DtypeError, match=rf"^np\.{known} .* pass tensor\.numpy\(\)") as caught:
        call(a)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(call(a.numpy()), call(A))


@pytest.mark.parametrize(
    "given", [{"dtype": np.float32}, {"out": np.empty(())}], ids=lambda given: next(iter(given))
)
@pytest.mark.parametrize("reduction", [np.mean, np.sum])
def test_a_dtype_and_an_output_are_refused(reduction, given):
    with pytest.raises(DtypeError, match=rf"^{next(iter(given))} must be None for a Tensor.*numpy\(\)"):
        reduction(Tensor(A), **given)
