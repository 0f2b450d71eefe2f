"""``minibn study`` as a user runs it."""

import json

import pytest
from command import run, run_json

pytestmark = pytest.mark.subprocess

KEYS = {
    "command", "study", "title", "question", "source", "verdict", "statements", "numbers", "tables", "conditions",
    "options", "versions", "threads", "seconds", "files",
}  # fmt: skip


def test_the_list_names_every_study_with_what_it_costs(tmp_path):
    from minibn.lab.studies import STUDIES

    text = run("study", "list", cwd=tmp_path).stdout
    listed = run_json("study", "list", cwd=tmp_path)["studies"]
    told = run("study", "list", "--quick", "--data", "wine", "--json", cwd=tmp_path).stderr
    assert told == "Warning: not used by a list of studies: --data, --quick\n"
    assert [one["name"] for one in listed] == sorted(STUDIES)
    for one in listed:
        assert f"{one['name']}  (about {one['seconds']:g} s" in text
        assert one["question"] and one["source"] and one["statement"]
    assert not list(tmp_path.iterdir())


def test_json_is_what_the_folder_holds(tmp_path):
    arguments = (
        "study",
        "scale-invariance",
        "--data",
        "iris",
        "--quick",
        "--out",
        "run",
        "--seed",
        3,
        "--seeds",
        2,
    )
    report = run_json(*arguments, cwd=tmp_path)
    assert set(report) == KEYS
    assert report == json.loads((tmp_path / "run/metrics.json").read_text())
    assert report["conditions"]["seeds"] == [3, 4]
    assert report["options"] == {"data": "iris", "target": None, "seed": 3, "seeds": 2, "quick": True}
    assert (tmp_path / "run/study.png").read_bytes().startswith(b"\x89PNG")
    assert "holds a run" in run(*arguments, cwd=tmp_path, code=2).stderr
    text = run(*arguments[:-4], "--overwrite", "--seeds", 2, "--report", cwd=tmp_path)
    assert report["verdict"] in (tmp_path / "run/report.html").read_text()
    assert f"verdict: {report['verdict']}" in text.stdout
    assert "seeds     [0, 1]" in text.stdout
    assert "scale-invariance: seed 1" in text.stderr


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ("nonsense", "there is no study 'nonsense'; known are "),
        ("", "Missing argument 'NAME'"),
        ("scale-invariance --seeds 0", "0 is not in the range x>=1"),
        ("scale-invariance --data nothing", "there is no such data set; choose example"),
        ("scale-invariance --data iris --target nothing", "target"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_no_folder(tmp_path, arguments, fragment):
    process = run("study", *arguments.split(), cwd=tmp_path, code=2)
    assert fragment in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
