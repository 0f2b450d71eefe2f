"""Gradients against oracles, against composed formulas, and numerically; and the tape itself."""

import threading

import numpy as np
import oracles
import pytest
from cases import EPS, FLOATS, OP_CASES, SMALL, TOLERANCE, assert_close, each, grid

from minibn import autograd
from minibn.autograd import Op, Tensor, apply, gradcheck, no_grad
from minibn.errors import DtypeError, GradientError, MinibnError, ShapeError


def leaves(*arrays):
    return [Tensor(np.array(array), requires_grad=True) for array in arrays]


def parameter(*shape, seed=0, dtype=np.float64):
    return Tensor(np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype), True)


# every operation of the table


@grid(OP_CASES, SMALL)
def test_gradient_equals_oracle(case, shape, dtype):
    inputs = case.make(shape, dtype)
    tensors = leaves(*inputs[: case.tensors])
    output = case.run_tape(tensors, inputs[case.tensors :])
    assert_close([output.data], case.expected(inputs)[:1], TOLERANCE[dtype])
    dy = np.asarray(np.random.default_rng(1).standard_normal(output.shape)).astype(output.dtype)
    output.backward(dy)
    gradients = [tensor.grad for tensor in tensors]
    assert [gradient.dtype for gradient in gradients] == [tensor.dtype for tensor in tensors]
    assert_close(gradients, case.gradient(dy, *inputs), TOLERANCE[dtype])


@each(OP_CASES)
def test_gradcheck_behind_a_layer(case):
    inputs = case.make(case.shapes[1], np.float64)
    first, *others = leaves(*inputs[: case.tensors])
    scale = Tensor(np.random.default_rng(2).uniform(0.5, 1.5, first.shape), requires_grad=True)

    def function(scale, first, *others):
        return case.run_tape([first * scale, *others], inputs[case.tensors :])

    assert gradcheck(function, [scale, first, *others])


@each([case for case in OP_CASES if case.tensors > 1])
def test_only_the_gradients_asked_for(case):
    inputs = case.make(case.shapes[1], np.float64)
    for chosen in range(case.tensors):
        tensors = [Tensor(a.copy(), requires_grad=i == chosen) for i, a in enumerate(inputs[: case.tensors])]
        output = case.run_tape(tensors, inputs[case.tensors :])
        dy = np.ones_like(output.data)
        output.backward(dy)
        assert [tensor.grad is not None for tensor in tensors] == [i == chosen for i in range(case.tensors)]
        assert_close([tensors[chosen].grad], [case.gradient(dy, *inputs)[chosen]], 1e-11)


@each(OP_CASES)
def test_float32_flows_back_from_float64(case):
    """A float64 operand behind a float32 operation widens the gradient, which the operation then narrows."""
    inputs = case.make(case.shapes[1], np.float32)
    tensors = leaves(*inputs[: case.tensors])
    output = case.run_tape(tensors, inputs[case.tensors :])
    (output * np.ones(output.shape)).mean().backward()
    dy = np.full(output.shape, 1 / output.data.size)
    gradients = [tensor.grad for tensor in tensors]
    assert {gradient.dtype for gradient in gradients} == {np.dtype(np.float32)}
    assert_close(gradients, case.gradient(dy, *inputs), TOLERANCE[np.float32])


# batch norm three ways


def composed_batch_norm(x, gamma, beta, eps=EPS):
    """Batch norm built of operations that live on the tape only."""
    centred = x - x.mean(axis=0)
    variance = (centred * centred).mean(axis=0)
    return gamma * (centred * ((variance + eps).log() * -0.5).exp()) + beta


def composed_relu(x):
    return x * (x.data > 0).astype(np.float64)


@pytest.mark.parametrize("shift", [0.0, 30.0])
@pytest.mark.parametrize("shape", [(3, 2), (8, 5), (50, 4)], ids=str)
@pytest.mark.parametrize("relu", [False, True], ids=["plain", "relu"])
def test_batch_norm_three_ways(shape, relu, shift):
    rng = np.random.default_rng([7, *shape])
    x, weight = rng.standard_normal((shape[0], 3)) + shift, rng.standard_normal((3, shape[1]))
    gamma, beta = rng.uniform(0.5, 2, shape[1]), rng.standard_normal(shape[1])
    upstream = rng.standard_normal(shape)
    op = autograd.batch_norm_relu if relu else autograd.batch_norm
    oracle = oracles.batch_norm_relu_backward if relu else oracles.batch_norm_backward

    def ours(weight, gamma, beta):
        return op(Tensor(x) @ weight, gamma, beta, EPS)[0]

    def theirs(weight, gamma, beta):
        y = composed_batch_norm(Tensor(x) @ weight, gamma, beta)
        return composed_relu(y) if relu else y

    played, composed = leaves(weight, gamma, beta), leaves(weight, gamma, beta)
    ours(*played).backward(upstream)
    theirs(*composed).backward(upstream)
    _, mean, var = oracles.batch_norm_forward(x @ weight, gamma, beta, EPS)
    middle = (beta,) if relu else ()
    dx, dgamma, dbeta = oracle(upstream, x @ weight, gamma, *middle, mean, var, EPS)
    expected = [x.T @ dx, dgamma, dbeta]
    assert_close([tensor.grad for tensor in played], expected, 1e-9)
    assert_close([tensor.grad for tensor in composed], expected, 1e-9)
    assert gradcheck(ours, leaves(weight, gamma, beta))


# the checker


def off_by(factor):
    return Op("wrong", lambda a: (a * a, (a,)), lambda dy, saved, needs: (2 * saved[0] * dy * factor,))


def test_gradcheck_finds_a_tenth_of_a_percent():
    assert gradcheck(lambda a: apply(off_by(1.0), a), [parameter(3, 2)])
    with pytest.raises(GradientError, match=r"input 0 is off by 1\.0e-03.*worst at \(\d, \d\)"):
        gradcheck(lambda a: apply(off_by(1.001), a), [parameter(3, 2)])


def test_gradcheck_finds_one_wrong_entry():
    def backward(dy, saved, needs):
        gradient = 2 * saved[0] * dy
        gradient[1, 0] *= 1.01
        return (gradient,)

    wrong = Op("wrong", lambda a: (a * a, (a,)), backward)
    with pytest.raises(GradientError, match=r"worst at \(1, 0\)"):
        gradcheck(lambda a: apply(wrong, a), [parameter(3, 2)])


def test_gradcheck_finds_a_gradient_that_a_sum_hides():
    """The entries of a batch norm sum to a constant: an upstream gradient of ones would see nothing wrong."""
    wrong = Op(
        "wrong",
        lambda x: (oracles.batch_norm_forward(x, 1.0, 0.0, EPS)[0], (x,)),
        lambda dy, saved, needs: (np.zeros_like(dy),),
    )
    with pytest.raises(GradientError, match="input 0"):
        gradcheck(lambda x: apply(wrong, x), [parameter(6, 2)])


def test_gradcheck_finds_a_gradient_that_never_arrives():
    with pytest.raises(GradientError, match="input 1"):
        gradcheck(lambda a, b: a * b.detach(), [parameter(3), parameter(3, seed=1)])


def test_gradcheck_finds_nan():
    wrong = Op("wrong", lambda a: (a * a, (a,)), lambda dy, saved, needs: (dy * np.nan,))
    with pytest.raises(GradientError):
        gradcheck(lambda a: apply(wrong, a), [parameter(2)])


def test_gradcheck_needs_float64():
    with pytest.raises(DtypeError, match="input 1 of gradcheck must be float64, got float32"):
        gradcheck(lambda a, b: a, [parameter(2), parameter(2, dtype=np.float32)])


def test_gradcheck_restores_its_inputs():
    a = parameter(3)
    before = a.data.copy()
    gradcheck(lambda a: a.exp(), [a])
    np.testing.assert_array_equal(a.data, before)


# the tape

BAD_SHAPES = [((3, 4), (3,)), ((2, 3), (3, 2)), ((2, 2, 2), (3,))]


@pytest.mark.parametrize(("left", "right"), BAD_SHAPES)
def test_shapes_that_do_not_broadcast(left, right):
    with pytest.raises(ValueError, match="broadcast"):
        parameter(*left) + parameter(*right)


MATMULS = [((3, 4), (4, 2)), ((4,), (4, 2)), ((3, 4), (4,)), ((4,), (4,)), ((5, 3, 4), (4, 2)),
           ((5, 3, 4), (5, 4, 2)), ((3, 4), (5, 4, 2)), ((1, 3, 4), (5, 4, 2)), ((4,), (5, 4, 2)),
           ((5, 3, 4), (4,))]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), MATMULS)
def test_matmul_of_every_shape(left, right):
    assert gradcheck(lambda a, b: a @ b, [parameter(*left), parameter(*right, seed=1)])


AXES = [None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2)]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_reductions_over_any_axis(name, axis, keepdims):
    a = parameter(2, 3, 4)
    result = getattr(a, name)(axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(result.data, getattr(a.data, name)(axis=axis, keepdims=keepdims))
    assert gradcheck(lambda a: getattr(a, name)(axis=axis, keepdims=keepdims), [a])


SHAPES = [
    ("reshape", (6, 4)),
    ("reshape", ((4, -1),)),
    ("transpose", ()),
    ("transpose", (1, 0, 2)),
    ("transpose", (-1, 0, 1)),
    ("transpose", ((2, 0, 1),)),
]


@pytest.mark.parametrize(("name", "arguments"), SHAPES)
def test_moves_of_axes(name, arguments):
    a = parameter(2, 3, 4)
    result = getattr(a, name)(*arguments)
    np.testing.assert_array_equal(result.data, getattr(a.data, name)(*arguments))
    assert gradcheck(lambda a: getattr(a, name)(*arguments), [a])
    np.testing.assert_array_equal(a.T.data, a.data.T)


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "@": lambda a, b: a @ b,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_arrays_on_either_side(name):
    operate, array = OPERATORS[name], np.random.default_rng(3).uniform(1, 2, (3, 3))
    a = Tensor(np.random.default_rng(4).uniform(1, 2, (3, 3)), requires_grad=True)
    for result, expected in [
        (operate(a, array), operate(a.data, array)),
        (operate(array, a), operate(array, a.data)),
    ]:
        assert isinstance(result, Tensor)
        np.testing.assert_array_equal(result.data, expected)
    assert gradcheck(lambda a: operate(a, array), [a])
    assert gradcheck(lambda a: operate(array, a), [a])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("number", [2, 2.5, np.float64(2.5), np.int64(2), np.array(2.5)], ids=repr)
def test_numbers_keep_the_dtype(number, dtype):
    a = Tensor(np.array([1.0, 2.0], dtype), requires_grad=True)
    for result, expected in [
        (a + number, a.data + float(number)),
        (number - a, float(number) - a.data),
        (number * a, float(number) * a.data),
        (number / a, float(number) / a.data),
        (-a, -a.data),
    ]:
        assert result.dtype == dtype
        np.testing.assert_array_equal(result.data, expected.astype(dtype))


def test_gradients_accumulate():
    a = parameter(3)
    (a * 2.0).sum().backward()
    first = a.grad
    (a * 3.0).sum().backward()
    np.testing.assert_array_equal(a.grad, np.full(3, 5.0))
    assert a.grad is first
    a.zero_grad()
    assert a.grad is None


def test_gradient_does_not_alias_the_upstream():
    a, upstream = parameter(3), np.ones(3)
    (a + 0.0).backward(upstream)
    a.grad += 1
    np.testing.assert_array_equal(upstream, np.ones(3))


def test_two_leaves_of_one_sum_do_not_share_a_gradient():
    a, b = parameter(3), parameter(3)
    (a + b).sum().backward()
    a.grad += 1
    np.testing.assert_array_equal(b.grad, np.ones(3))


def test_diamonds():
    a = parameter(3)
    b = a * 2.0
    c, d = b.exp(), b * b
    (c * d + b).sum().backward()
    x = a.data
    np.testing.assert_allclose(a.grad, 2 * np.exp(2 * x) * 4 * x**2 + np.exp(2 * x) * 8 * x + 2)


def test_an_operand_used_twice_in_one_operation():
    a = parameter(3)
    (a * a).sum().backward()
    np.testing.assert_allclose(a.grad, 2 * a.data)
    assert gradcheck(lambda a: a / (a * a + 1.0), [a])


def test_forked_graph_of_exponential_paths():
    a = parameter(1)
    b = a
    for _ in range(60):
        b = b + b
    b.sum().backward()
    assert a.grad.item() == 2.0**60


def test_chain_of_ten_thousand():
    a = parameter(2)
    b = a
    for _ in range(10_000):
        b = b * 1.0001
    b.sum().backward()
    np.testing.assert_allclose(a.grad, np.full(2, 1.0001**10_000))


def test_backward_of_an_array_needs_its_gradient():
    a = parameter(2, 3)
    with pytest.raises(ShapeError, match=r"shape \(2, 3\) needs a gradient"):
        (a * 2.0).backward()
    with pytest.raises(ShapeError, match=r"must have shape \(2, 3\), got \(3,\)"):
        (a * 2.0).backward(np.ones(3))
    upstream = np.arange(6.0).reshape(2, 3)
    (a * 2.0).backward(upstream)
    np.testing.assert_array_equal(a.grad, 2 * upstream)


def test_backward_of_a_leaf():
    a = parameter(2)
    a.backward(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(a.grad, [1.0, 2.0])


def test_backward_of_a_single_number_of_any_shape():
    a = parameter(1, 1)
    (a * 3.0).backward()
    np.testing.assert_array_equal(a.grad, [[3.0]])


def test_second_backward_names_the_op():
    loss = parameter(3).exp().sum()
    loss.backward()
    with pytest.raises(GradientError, match=r"op 'sum' was freed.*retain_graph=True"):
        loss.backward()


def test_second_backward_through_a_shared_part_names_the_op():
    shared = parameter(3).exp()
    shared.sum().backward()
    with pytest.raises(GradientError, match="op 'exp' was freed"):
        (shared * 2.0).sum().backward()


def test_retained_graph_gives_the_gradient_again():
    a = parameter(3)
    loss = a.exp().sum()
    loss.backward(retain_graph=True)
    loss.backward()
    np.testing.assert_allclose(a.grad, 2 * np.exp(a.data))


def test_missing_rule_names_the_op():
    step = Op("staircase", lambda a: (np.floor(a), ()), None)
    with pytest.raises(GradientError, match="op 'staircase' has no backward rule"):
        apply(step, parameter(2)).sum().backward()


def test_missing_rule_is_no_matter_without_gradient():
    step = Op("staircase", lambda a: (np.floor(a), ()), None)
    np.testing.assert_array_equal(apply(step, Tensor([1.5, -0.5])).data, [1, -1])


@pytest.mark.parametrize(
    "make",
    [
        lambda a: Tensor(a.data).sum(),
        lambda a: a.detach().sum(),
        lambda a: a.exp().detach().sum(),
    ],
    ids=["plain", "detached leaf", "detached result"],
)
def test_backward_without_a_tape(make):
    with pytest.raises(GradientError, match="requires_grad=True"):
        make(parameter(2)).backward()


def test_no_grad_records_nothing():
    a = parameter(2)
    with no_grad():
        b = a.exp()
        assert not b.requires_grad
        assert b.node is None
    assert a.exp().requires_grad
    with pytest.raises(GradientError):
        b.sum().backward()


def test_no_grad_ends_with_an_exception():
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert parameter(2).exp().requires_grad


def test_no_grad_nests():
    with no_grad():
        with no_grad():
            pass
        assert not parameter(2).exp().requires_grad


def test_no_grad_ends_at_the_thread():
    seen, inside, done = [], threading.Event(), threading.Event()

    def other():
        with no_grad():
            inside.set()
            done.wait(10)
            seen.append(parameter(2).exp().requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    here = parameter(2).exp().requires_grad
    done.set()
    thread.join()
    assert here
    assert seen == [False]


def test_detach_shares_memory_and_stops_gradients():
    a = parameter(3)
    stopped = a.detach()
    assert np.shares_memory(stopped.data, a.data)
    (a * stopped).sum().backward()
    np.testing.assert_array_equal(a.grad, a.data)


# the tensor


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([1, 2], np.float64), (3, np.float64), (True, np.float64), (np.arange(3, dtype=np.uint8), np.float64),
        (np.ones(2, np.float32), np.float32), (np.float32(1), np.float32), (np.ones(2, ">f4"), np.float64),
        (np.ones(2, np.float16), np.float64),
    ],
)  # fmt: skip
def test_tensor_holds_floats(data, dtype):
    tensor = Tensor(data)
    assert tensor.dtype == dtype
    np.testing.assert_array_equal(tensor.numpy(), data)


@pytest.mark.parametrize("data", ["a", None, [1j], [{}]])
def test_tensor_of_something_else(data):
    with pytest.raises(DtypeError, match="a Tensor must hold numbers, got .*convert"):
        Tensor(data)


def test_tensor_takes_arrays_without_a_copy():
    array = np.ones(3)
    assert Tensor(array).data is array
    assert Tensor(Tensor(array)).data is array


def test_tensor_describes_itself():
    a = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    assert (a.shape, a.ndim, len(a), a.sum().item()) == ((2, 3), 2, 2, 6.0)
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1. 2.], dtype=float64)"
    assert repr(a).endswith("dtype=float32, requires_grad=True)")


def test_errors_of_operations_are_those_of_the_front_door():
    with pytest.raises(MinibnError, match="weight must have shape"):
        autograd.dense(parameter(3, 4), parameter(5, 2))


def test_inference_of_a_constant_feature_at_eps_0():
    x, gamma, beta = leaves(np.ones((3, 1)), np.ones(1), np.full(1, 2.0))
    y = autograd.batch_norm_inference(x, gamma, beta, np.ones(1), np.zeros(1), 0.0)
    y.sum().backward()
    np.testing.assert_array_equal(y.data, np.full((3, 1), 2.0))
    np.testing.assert_array_equal(x.grad, np.zeros((3, 1)))
    np.testing.assert_array_equal(beta.grad, [3.0])
