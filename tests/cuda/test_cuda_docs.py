"""The blocks of docs/cuda.md run, one after the other."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/cuda.md"


def test_the_blocks_of_the_page_run(capsys):
    blocks, names = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL), {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 2
    mean, var = names["mean"], names["var"]
    assert abs(names["cuda"].mean_to_host(mean) - 1e6).max() < 1
    assert 0.5 < names["cuda"].var_to_host(var).min() < 2
    assert capsys.readouterr().out.splitlines()[-1] == "2"
