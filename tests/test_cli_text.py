"""What the command line makes of results: charts, tables, wording."""

import numpy as np
import pytest
from command import run
from minibn_cli import documents
from minibn_cli.chart import loss_chart
from minibn_cli.tables import confusion_table, counted, per_class_table, short

from minibn.metrics import summarize
from minibn.train import Settings, prepare


@pytest.mark.parametrize("losses", [[1.4265, 1.0429], [0.3, 0.1], [2.7, 0.7, 1e-9], [5e8, 1.0]])
def test_the_axis_of_a_chart_starts_at_zero(losses):
    levels = [line.split("|")[0].strip() for line in loss_chart({"*": losses}).splitlines() if "|" in line]
    assert levels[-1] == "0"
    assert float(levels[0]) == pytest.approx(max(losses), rel=0.01)


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [("short", 24, "short"), ("a" * 24, 24, "a" * 24), ("abcdefghij", 9, "abc...hij"), ("abcdefghij", 8, "abc...ij"),
     ("abcdef", 5, "a...f"), (12345678, 5, "1...8")],
)  # fmt: skip
def test_long_labels_lose_their_middle(text, most, expected):
    assert short(text, most) == expected


def test_one_is_singular():
    assert [counted(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


def _final(labels):
    matrix = np.random.default_rng(0).integers(1, 50, (len(labels), len(labels)))
    return summarize(matrix, labels=labels)


def test_a_few_classes_are_shown_whole():
    final = _final([f"class{k}" for k in range(12)])
    cells = [line.split() for line in confusion_table(final).splitlines()]
    assert [row[0] for row in cells[1:]] == final["labels"]
    assert [list(map(int, row[1:])) for row in cells[1:]] == final["confusion_matrix"]
    assert "shown" not in confusion_table(final) + per_class_table(final)


def test_many_classes_are_shown_from_both_ends():
    final = _final([f"a rather long name of class {k}" for k in range(50)])
    for text in (confusion_table(final), per_class_table(final)):
        lines = text.splitlines()
        assert lines[-1] == "12 of 50 classes are shown; --json prints all"
        assert len(lines) == 1 + 13 + 1
        assert max(map(len, lines)) <= 130
    first, last = confusion_table(final).splitlines()[1], confusion_table(final).splitlines()[-2]
    counts = final["confusion_matrix"]
    assert first.split()[-13:] == [*map(str, counts[0][:6]), "...", *map(str, counts[0][-6:])]
    assert last.split()[-13:] == [*map(str, counts[-1][:6]), "...", *map(str, counts[-1][-6:])]


def test_classes_that_look_alike_are_numbered():
    final = _final([f"the class with the number {k:02d} of all that there are" for k in range(8)])
    lines = confusion_table(final).splitlines()
    assert lines[0].split()[-8:] == [f"#{k}" for k in range(1, 9)]
    assert [line.split()[0] for line in lines[1:]] == [f"#{k}" for k in range(1, 9)]
    assert [line.split()[0] for line in per_class_table(final).splitlines()[1:]] == [
        f"#{k}" for k in range(1, 9)
    ]
    assert "#1" not in confusion_table(_final(["yes", "no"]))


@pytest.mark.parametrize(
    "changed",
    [{}, {"seed": 1}, {"epochs": 6}, {"lr": 0.02}, {"bn": False}, {"hidden": (11,)}, {"data": "wine"},
     {"shift_inputs": 1.0}, {"batch_size": 31}, {"activation": "tanh"}],
    ids=str,
)  # fmt: skip
def test_the_documents_belong_to_default_settings_alone(changed):
    assert documents.belong_to(prepare(Settings(**changed)).settings) == (changed == {})
    compared = prepare(Settings(**{"epochs": 10} | changed)).settings
    assert documents.belong_to(compared, epochs=10) == (changed == {})


@pytest.mark.subprocess
def test_the_documents_columns_say_what_they_are(tmp_path):
    trained, compared = (run(command, cwd=tmp_path).stdout for command in ("train", "compare"))
    assert documents.TRACE_NOTE in trained
    assert documents.COMPARED_NOTE in compared
    for command in ("train", "compare"):
        assert "documents" not in run(command, "--seed", 1, cwd=tmp_path).stdout


@pytest.mark.subprocess
@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_val_fraction_without_effect_is_said(tmp_path, command):
    process = run(command, "--val-fraction", 0.3, "--epochs", 1, cwd=tmp_path)
    said = [line for line in process.stderr.splitlines() if line.startswith("Warning")]
    assert said == [
        "Warning: --val-fraction is not used: example brings a validation part of its own (1000 rows)"
    ]
    assert (
        "Warning"
        not in run(command, "--data", "iris", "--val-fraction", 0.3, "--epochs", 1, cwd=tmp_path).stderr
    )


@pytest.mark.subprocess
def test_a_deep_network_is_described_in_short(tmp_path):
    text = run("train", "--depth", 40, "--hidden", 3, "--epochs", 1, cwd=tmp_path).stdout
    assert "network   20 - 3 - 3 - 3 - ... (40 hidden layers) ... - 3 - 3 - 3, relu" in text
    assert "1 epoch, batch 32" in text
