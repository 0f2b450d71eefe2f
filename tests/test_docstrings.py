"""The examples in docstrings are executed, those of compiled kernels included."""

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import minibn

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules():
    """Yield every module of the package; those that are made of a peer's classes only where the peer is installed."""
    for found in pkgutil.walk_packages(minibn.__path__, "minibn.", onerror=lambda name: None):
        try:
            yield importlib.import_module(found.name)
        except ImportError as error:
            assert re.search("scikit-learn|sklearn|onnx", str(error)), found.name


def documented(module):
    """Yield (name, object) of a module and of what is defined in it, Numba's dispatchers and methods included."""
    yield module.__name__, module
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) == module.__name__ and callable(value):
            yield f"{module.__name__}.{name}", value
            for part, method in vars(value).items() if inspect.isclass(value) else ():
                yield f"{module.__name__}.{name}.{part}", method


def examples():
    """Return every example by the name that it stands under."""
    found = {}
    for module in modules():
        for name, value in documented(module):
            text = getattr(value, "__doc__", None)
            if isinstance(text, str) and ">>>" in text:
                found[name] = doctest.DocTestParser().get_doctest(inspect.cleandoc(text), {}, name, None, 0)
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_examples_of_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    result = doctest.DocTestRunner(optionflags=FLAGS).run(EXAMPLES[name], out=said.append)
    assert result.attempted and not result.failed, "".join(said)


def test_the_main_names_have_examples():
    """What a reader looks up first; a name that moves takes its example along."""
    last = {name.rsplit(".", 1)[1] for name in EXAMPLES}
    main = {
        "batch_norm_forward", "batch_norm_backward", "batch_norm_inference", "update_running_stats_inplace", "Tensor",
        "gradcheck", "BatchNorm", "Dense", "Sequential", "mlp", "capture", "fit", "SGD", "save_model", "recalibrate",
        "split", "Scaler", "example", "confusion_matrix", "summarize", "average_precision", "threshold_for",
        "paired_difference", "run", "sweep", "doctor", "fold_batch_norm",
    }  # fmt: skip
    assert main <= last
