"""Every rule of the doctor has a sick and a healthy patient; and what a diagnosis holds."""

import copy
import json

import numpy as np
import patients
import pytest
from patients import (
    counted,
    course,
    deep,
    gamma,
    layers,
    model_of,
    moved,
    restarted,
    rows,
    shared,
    well,
    without_norm,
)

from minibn.errors import ArgumentError, DtypeError, ShapeError
from minibn.lab import doctor
from minibn.lab.doctor.registry import RULES
from minibn.nn import mlp
from minibn.train import Settings, prepare, recalibrate

pytestmark = pytest.mark.filterwarnings("ignore:BatchNorm met a batch:RuntimeWarning")


def predict_right(model, x):
    return model.predict(x)


# Rule, patients of which it must say something, patients of which it must not.
CASES = [
    ("poisoned statistics", [lambda: model_of(patients.nan_average)], [well]),
    ("batches left out", [lambda: model_of(patients.nan_batch)], [well]),
    ("momentum too slow", [restarted(0.001, 100), restarted(0.0, 100)], [restarted(0.1, 100), restarted(0.01, 600)]),
    ("too few steps", [restarted(0.1, 3), restarted(0.1, 0)], [restarted(0.1, 100), restarted(None, 20), restarted(0.001, 100)]),
    ("one-class batches", [lambda: model_of(patients.one_class)], [lambda: model_of(patients.mixed), lambda: model_of(patients.stale)]),
    ("training mode",
     [lambda: model_of(lambda model: model.train()), lambda: model_of(patients.mixed), lambda: well(predict=patients.predict_in_training)],
     [well, lambda: well(predict=predict_right), lambda: model_of(patients.stale)]),
    ("stale statistics", [lambda: model_of(patients.stale)], [well, lambda: model_of(patients.mixed), restarted(0.001, 100)]),
    ("drift", [moved(1.0), moved(0, 3.0)], [well, moved(0.05)]),
    ("batches too small", [lambda: well(batch_size=2), lambda: well(batch_size=4)], [lambda: well(batch_size=16)]),
    ("predictions depend on the batch",
     [lambda: model_of(lambda model: model.train()), lambda: well(predict=patients.predict_in_training)], [well, lambda: well(predict=predict_right)]),
    ("duplicates across the split", [shared(40), shared(120)], [well]),
    ("scaler fitted on all rows", [patients.scaled_all], [well, moved(0.05)]),
    ("score moves with the statistics of its rows", [moved(3.0), moved(1.0, 0.3)], [well]),
    ("no better than the majority", [lambda: counted(24, 176, 24, 9776), lambda: counted(0, 50, 0, 950)], [well, lambda: counted(180, 20, 260, 9540)]),
    ("class not found", [lambda: counted(24, 176, 24, 9776), lambda: counted(24, 176, 10, 9790)], [well, lambda: counted(160, 40, 40, 9760)]),
    ("overfitting", [lambda: patients.mislabelled(0.4)], [well, moved(1.0)]),
    ("vanishing gradients", [lambda: deep("sigmoid", False)], [well, lambda: deep("sigmoid", True), lambda: deep("relu", False)]),
    ("exploding gradients", [lambda: deep("relu", False, 4.0)], [well, lambda: deep("relu", True, 4.0), lambda: deep("relu", False)]),
    ("dead units", [lambda: without_norm(bias=-100, units=12)], [lambda: without_norm(bias=-100, units=1), well]),
    ("saturated units", [lambda: without_norm("sigmoid", weight=60), lambda: without_norm("tanh", weight=60)], [lambda: without_norm("sigmoid")]),
    ("batch norm on the logits", [lambda: layers("plain", "norm", "out", "out norm")], [lambda: layers("plain", "norm", "out")]),
    ("bias before a batch norm", [lambda: layers("dense", "norm", "out")], [lambda: layers("plain", "norm", "out")]),
    ("gamma near zero", [gamma(1e-4, 2), gamma(0.0, 12)], [gamma(0.5, 2), well]),
    ("diverging loss",
     [lambda: course(1.0, 4.0, 900.0), lambda: course(80.0, 2.0, 0.5, 0.2), lambda: course(1.0, 0.2, 0.9), lambda: model_of(patients.nan_weight),
      lambda: well(history=(), failed={"epoch": 1, "step": 2, "layer": "2.Dense"})],
     [well, lambda: course(1.5, 0.8, 0.5)]),
    ("stuck loss", [lambda: course(1.12, 1.1, 1.11, 1.1)], [well, lambda: course(1.1, 1.0, 0.9)]),
    ("noisy loss", [lambda: course(1.0, 0.4, 0.9, 0.3, 0.8)], [well, lambda: course(1.0, 0.5, 0.51, 0.4)]),
]  # fmt: skip


def said(told):
    told = dict(told)
    found = doctor(told.pop("model"), told.pop("data", None), **told)
    return {finding.name: finding for finding in (*found.faults, *found.notes)}


def flat(position):
    return [
        pytest.param(case[0], build, id=f"{case[0]}-{i}")
        for case in CASES
        for i, build in enumerate(case[position])
    ]


@pytest.mark.parametrize(("name", "build"), flat(1))
def test_the_rule_finds_what_is_wrong(name, build):
    finding = said(build())[name]
    assert finding.figure and finding.cause and finding.remedy


@pytest.mark.parametrize(("name", "build"), flat(2))
def test_the_rule_is_silent_where_it_is_not(name, build):
    assert name not in said(build())


def test_every_rule_has_its_patients():
    assert sorted(rule.name for rule in RULES) == sorted(case[0] for case in CASES)
    assert all(sick and healthy for _, sick, healthy in CASES)


def test_a_healthy_run_is_called_healthy():
    told = well()
    found = doctor(told.pop("model"), told.pop("data"), **told)
    assert found.healthy and not found.faults and not found.not_checked
    assert len(found.checked) == len(RULES)


def test_the_documents_quiz_is_named():
    found = said(counted(24, 176, 24, 9776))
    assert "accuracy 0.9800 is exactly the majority baseline" in found["no better than the majority"].figure
    assert "accuracy 0.9800 is not good: recall 0.1200" in found["class not found"].figure
    assert "--class-weight balanced" in found["class not found"].remedy
    assert "--threshold-for recall=0.8" in found["class not found"].remedy


@pytest.mark.parametrize(
    ("build", "faults"),
    [(shared(2), False), (shared(40), True), (lambda: well(batch_size=8), False), (gamma(1e-4, 2), False),
     (gamma(1e-4, 12), True), (lambda: layers("dense", "norm", "out"), False)],
)  # fmt: skip
def test_notes_are_no_faults(build, faults):
    told = build() | {"train": None, "history": None} if build.__name__ == "<lambda>" else build()
    found = doctor(told.pop("model"), told.pop("data"), **told)
    assert bool(found.faults) == faults
    assert found.notes or faults


def test_neither_model_nor_data_are_changed():
    told = well()
    model, x = told.pop("model").train(), rows()[2].copy()
    before = copy.deepcopy(model.state_dict())
    doctor(model, **told)
    after = model.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert model.training and np.array_equal(x, told["data"][0])


def test_without_anything_but_the_model_most_is_not_checked():
    found = doctor(mlp([4, 5, 3], rng=0).eval())
    why = {item.name: item.why for item in found.not_checked}
    assert why["drift"] == "the training rows were not given"
    assert why["overfitting"] == "no labelled rows to judge were given"
    assert why["noisy loss"] == "no history of the training was given"
    assert "poisoned statistics" in found.checked


def test_a_network_without_batch_norm_has_rules_that_do_not_apply():
    why = {item.name: item.why for item in doctor(**without_norm()).not_checked}
    assert why["training mode"] == "the network has no batch norm that is not frozen"


def test_unlabelled_rows_are_enough_for_drift():
    told = well()
    told["data"], told["train"] = told["data"][0] + 1, told["train"][0]
    assert "drift" in said(told)


def test_recalibration_heals_what_the_doctor_says_it_heals():
    told = restarted(0.001, 100)()
    assert "momentum too slow" in said(told)
    recalibrate(told["model"], rows()[0])
    assert not said(told)


def test_json_has_the_promised_keys():
    told = counted(24, 176, 24, 9776)
    found = json.loads(json.dumps(doctor(told["model"], told["data"]).to_dict()))
    assert set(found) == {"healthy", "faults", "notes", "not_checked"}
    assert found["healthy"] is False
    assert set(found["faults"][0]) == {"name", "figure", "cause", "remedy"}


def test_an_experiment_brings_its_parts():
    experiment = prepare(Settings(data="example", hidden=(4,)))
    found = doctor(mlp([20, 4, 3], rng=0).eval(), experiment)
    assert {item.why for item in found.not_checked} == {"no history of the training was given"}
    assert found.report.conditions["batch"] == 32


def test_the_report_shows_what_was_measured():
    told = well()
    report = doctor(told.pop("model"), told.pop("data"), **told).report
    assert report.verdict == "healthy"
    assert [chart.title for chart in report.charts][:2] == ["loss", "gradients"]
    assert all(len(row) == len(table.head) for table in report.tables for row in table.rows)


def test_units_stand_in_the_order_of_their_variances():
    found = doctor(**patients.model_of(patients.stale))
    exact, charts = found.figures.norms[0].exact, {chart.title: chart for chart in found.report.charts}
    order = exact.new_var.argsort()
    for what, values in (("mean", exact.new_mean), ("variance", exact.new_var)):
        chart = charts[f"{what} of 1.BatchNorm"]
        assert (chart.x_label, chart.series[0].y) == ("unit, by its exact variance", values[order].tolist())


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [({"data": (np.zeros((5, 3)), np.zeros(5, int))}, ArgumentError, "data: expected 4 features"),
     ({"data": (np.zeros((5, 4)), np.zeros(4, int))}, ShapeError, "data y"),
     ({"train": np.zeros(5)}, ShapeError, "train x must have shape"),
     ({"model": "model"}, DtypeError, "model must be a minibn.nn.Sequential"),
     ({"predict": 3}, DtypeError, "predict must be a function")],
)  # fmt: skip
def test_wrong_pieces_are_refused(changes, error, words):
    with pytest.raises(error, match=words):
        doctor(**(well() | changes))
