"""The ONNX backend's own node tests, run on minibn; what is not run is listed with the reason."""

import re
from collections import Counter

import pytest

from minibn.errors import ConversionError, DtypeError

pytest.importorskip("onnx", reason="the package onnx is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")

from onnx.backend.test.runner import Runner  # noqa: E402

from minibn.interop.onnx_backend import DOMAINS, MinibnBackend  # noqa: E402

# By operator: the pattern of the names of its tests, and how many there are at least (onnx 1.23).
SELECTED = {
    "BatchNormalization": ("batchnorm_(example|epsilon)(_training_mode)?", 4),
    "Gemm": ("gemm_(default|transpose[AB]|alpha|beta|all).*", 11),
    "MatMul": (r"matmul_(\dd|bcast).*", 7),
    "Relu": ("relu", 1),
    "Sigmoid": ("sigmoid(_example)?", 2),
    "Tanh": ("tanh(_example)?", 2),
    "Softmax": ("softmax_.*(?<!expanded)(?<!ver18)", 7),
    "LogSoftmax": ("logsoftmax_.*(?<!expanded)(?<!ver18)", 7),
    "SoftmaxCrossEntropyLoss": ("sce_.*(?<!expanded)", 34),
    "NegativeLogLikelihoodLoss": ("nllloss_.*(?<!expanded)", 18),
    "Momentum": ("(nesterov_)?momentum.*", 3),
    "Adam": ("adam.*", 2),
    # beyond the operators that networks here are made of
    "SoftmaxCrossEntropyLoss, written out": ("sce_.*_expanded", 34),
    "Add, Sub, Mul, Div, Neg, Exp, Log": ("(add|sub|mul|div|neg|exp|log)(_bcast|_example)?", 17),
    "Constant, Dropout, Flatten, Identity": (
        "(constant|dropout_default(_ratio|_old)?|dropout_random_old|flatten_.*|identity|clip_default_.*inbounds_expanded)", 17,
    ),
    "Cast": ("cast_(FLOAT|FLOAT16|DOUBLE)_to_(FLOAT|DOUBLE)|castlike_(FLOAT|FLOAT16|DOUBLE)_to_(FLOAT|DOUBLE)_expanded", 8),
    "Reshape, Shape, Transpose": ("(reshape|shape|transpose)_.*|shape", 28),
}  # fmt: skip
AT_LEAST = 55  # of the twelve operators that come first

# Tests of operators that minibn has, but not in this way: pattern, reason, error.
WITHOUT = [
    ("(add|sub|mul|div)_u?int.*", "whole numbers: minibn computes with float32 and float64", DtypeError),
    ("cast_.*|castlike_.*_expanded", "dtypes of 16, 8, 4 and 2 bits, strings", ConversionError),
    ("dropout_default_mask.*", "the mask of a dropout", ConversionError),
    ("training_dropout.*", "minibn has no dropout in training", ConversionError),
    ("identity_(sequence|opt)", "a sequence of tensors, or an optional one", ConversionError),
]
OTHERS = "operators that minibn does not have"
EXPANDED = (
    "an operator written out in others, which minibn does not have: ReduceMax, Unsqueeze, CastLike, ..."
)
CONVERTED = {"PyTorchConvertedModel": 19, "PyTorchOperatorModel": 8, "SimpleModel": 1}
OLD = "an attribute of opset 6 (broadcast), or whole numbers"


class Counting(Runner):
    """Counts comparisons: a test that compares nothing must not count as passed."""

    comparisons = 0

    @classmethod
    def assert_similar_outputs(cls, *arguments, **options):
        cls.comparisons += 1
        super().assert_similar_outputs(*arguments, **options)


@pytest.fixture(scope="module")
def suites():
    """Return the tests on the CPU by kind and name: those that the runner makes for a backend."""
    found = {}
    for name, case in Counting(MinibnBackend).test_cases.items():
        tests = {key: getattr(case(key), key) for key in dir(case) if key.startswith("test_")}
        tests = {key[5:-4]: test for key, test in tests.items() if key.endswith("_cpu")}
        found[name.removeprefix("OnnxBackend").removesuffix("Test")] = tests
    return found


def named(tests, pattern):
    return {name: test for name, test in tests.items() if re.fullmatch(pattern, name)}


def left_out(tests, pattern):
    """Return the tests of a pattern that are not selected."""
    selected = "|".join(selected for selected, _ in SELECTED.values())
    return {name: test for name, test in named(tests, pattern).items() if not re.fullmatch(selected, name)}


def failures(tests):
    """Run tests; return what failed, with the first line of its message."""
    found = {}
    for name, test in tests.items():
        before = Counting.comparisons
        try:
            test()
            if Counting.comparisons == before:
                found[name] = "compared nothing"
        except (Exception, pytest.skip.Exception) as error:
            found[name] = f"{type(error).__name__}: {str(error).strip()[:300]}"
    return found


def test_enough_are_selected(suites):
    patterns = [pattern for pattern, _ in list(SELECTED.values())[:12]]
    assert sum(len(named(suites["NodeModel"], pattern)) for pattern in patterns) >= AT_LEAST


@pytest.mark.parametrize("operator", SELECTED)
def test_node_tests_pass(operator, suites, conformance):
    pattern, at_least = SELECTED[operator]
    tests = named(suites["NodeModel"], pattern)
    assert len(tests) >= at_least
    assert not failures(tests)
    conformance(f"ONNX node tests, {operator}: {len(tests)} of {len(tests)} passed")


@pytest.mark.parametrize(("pattern", "reason", "error"), WITHOUT)
def test_what_is_left_out_says_why(pattern, reason, error, suites, conformance):
    tests = left_out(suites["NodeModel"], pattern)
    assert tests
    for name, test in tests.items():
        with pytest.raises(error) as caught:
            test()
        assert "\n" not in str(caught.value), name
    conformance(f"ONNX node tests, not run: {len(tests)} ({reason})")


def test_every_other_node_test_is_of_other_operators(suites, conformance):
    listed = "|".join([pattern for pattern, _ in SELECTED.values()] + [pattern for pattern, *_ in WITHOUT])
    rest = {n: test for n, test in suites["NodeModel"].items() if not re.fullmatch(listed, n)}
    wrong = {}
    for name, test in rest.items():
        try:
            test()
            wrong[name] = "passes, and is not selected"
        except Exception as error:
            if "minibn has no such operator" not in str(error):
                wrong[name] = f"{type(error).__name__}: {error}"[:300]
    assert not wrong
    expanded = len([name for name in rest if re.search(r"_expanded(_ver\d+)?$", name)])
    conformance(f"ONNX node tests, not run: {expanded} ({EXPANDED})")
    conformance(f"ONNX node tests, not run: {len(rest) - expanded} ({OTHERS})")
    selected = sum(len(named(suites["NodeModel"], pattern)) for pattern, _ in SELECTED.values())
    conformance(f"ONNX node tests: {selected} of {len(suites['NodeModel'])} selected")


@pytest.mark.parametrize("kind", CONVERTED)
def test_models_in_files(kind, suites, conformance):
    """Files that the package onnx carries, most of them exported by early PyTorch: opset 6, and 9."""
    found = failures(suites[kind])
    passed = len(suites[kind]) - len(found)
    reasons = Counter(
        OTHERS if "Not compatible" in line else OLD
        for line in found.values()
        if re.match(r"Skip.*Not compatible|ConversionError.*opset 6|DtypeError.*int64", line)
    )
    assert sum(reasons.values()) == len(found), found
    assert passed >= CONVERTED[kind]
    listed = "; ".join(f"{count} not run: {reason}" for reason, count in reasons.items())
    conformance(f"ONNX {kind} tests: {passed} of {len(suites[kind])} passed; {listed}")


def test_every_operator_is_tested(suites):
    """Each operator that the backend knows has a test that passes."""
    known = {name for names in DOMAINS.values() for name in names}
    assert known <= {name for names in SELECTED for name in names.split(", ")}
