"""scikit-learn's own tests of its perceptrons, with the classes substituted, without and with batch norm.

``solver="lbfgs"`` is replaced by ``"adam"`` where it is not what a test is about.
"""

import functools
import importlib.util
import types
from pathlib import Path

import pytest
from cases import needs_jit

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
NAME = "sklearn.neural_network.tests.test_mlp"
if importlib.util.find_spec(NAME) is None:
    pytest.skip("scikit-learn was installed without its tests", allow_module_level=True)

from minibn.sklearn import MinibnClassifier, MinibnRegressor  # noqa: E402

pytestmark = [needs_jit, pytest.mark.filterwarnings("ignore")]

LBFGS = "about the solver lbfgs, which is out of scope"
MULTILABEL = "several labels a row are out of scope"
ONE_ROW = "trains on a batch of one row, which has no variance: an error with batch norm"
OUT_OF_SCOPE = {
    "test_fit": "sets private arrays of scikit-learn's class by hand, for one output of two classes; here there are two",
    "test_gradient": "calls a private function of scikit-learn's lbfgs; minibn's own tests check its gradients",
    "test_lbfgs_classification": LBFGS,
    "test_lbfgs_regression": LBFGS,
    "test_lbfgs_classification_maxfun": LBFGS,
    "test_lbfgs_regression_maxfun": LBFGS,
    "test_multioutput_regression": LBFGS + " (its score is not reached by adam's 200 epochs, there or here)",
    "test_partial_fit_errors": LBFGS
    + " (partial_fit is missing with it; the other half is in test_sklearn.py)",
    "test_mlp_warm_start_no_convergence[lbfgs-MLPEstimator0]": LBFGS,
    "test_mlp_warm_start_no_convergence[lbfgs-MLPEstimator1]": LBFGS,
    "test_multilabel_classification": MULTILABEL,
    "test_predict_proba_multilabel": MULTILABEL,
    "test_early_stopping_stratified": "expects a message that calls the label 1 'True'; ours names the label's index",
    "test_mlp_vs_poisson_glm_equivalent": "the Poisson loss is out of scope",
}
WITH_BATCH_NORM = dict.fromkeys(
    (
        "test_partial_fit_classes_error",
        "test_partial_fit_unseen_classes",
        "test_shuffle",
        "test_mlp_loading_from_joblib_partial_fit",
    ),
    ONE_ROW,
)


def substituted(**options):
    """Return the test functions of scikit-learn's module, made anew with our classes in place of theirs."""
    source = Path(importlib.util.find_spec(NAME).origin).read_text()
    line = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"
    assert source.count(line) == 1
    source = source.replace(line, "\n").replace('solver="lbfgs"', 'solver="adam"')
    module = types.ModuleType("substituted")
    module.MLPClassifier = functools.partial(MinibnClassifier, **options)
    module.MLPRegressor = functools.partial(MinibnRegressor, **options)
    exec(compile(source, NAME, "exec"), vars(module))
    return {name: item for name, item in vars(module).items() if name.startswith("test_")}


def methods(functions):
    return {name: staticmethod(function) for name, function in functions.items()}


PLAIN = substituted(batch_norm=False)
TestWithoutBatchNorm = type("TestWithoutBatchNorm", (), methods(PLAIN))
TestWithBatchNorm = type("TestWithBatchNorm", (), methods(substituted()))


@pytest.fixture(autouse=True)
def _leave_out_what_is_out_of_scope(request):
    node = request.node
    reasons = OUT_OF_SCOPE | (WITH_BATCH_NORM if node.cls is TestWithBatchNorm else {})
    for name in (node.name, node.originalname):
        if name in reasons:
            pytest.skip(reasons[name])


@pytest.fixture
def global_random_seed():
    return 0


def test_most_of_them_apply():
    """A name that scikit-learn dropped or changed shows here."""
    functions = {name.split("[")[0] for name in OUT_OF_SCOPE | WITH_BATCH_NORM}
    assert functions <= set(PLAIN)
    assert len(set(PLAIN) - set(OUT_OF_SCOPE)) >= 27
