"""docs/how-to/use-other-languages.md: its Java program, as it stands there, asks a live exchange."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.live import Page, agree_and_post, exchange_with_operator, put_in_place


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("javac"), reason="needs a JDK: apt-get install default-jdk")
def test_the_program_reads_rates_near_the_true_ones(sqlite_template: Path, tmp_path: Path) -> None:
    (program,) = Page.read("use-other-languages.md").blocks("java", "Java")
    with exchange_with_operator(sqlite_template, tmp_path) as address:
        agree_and_post(address, tmp_path)
        (tmp_path / "Ask.java").write_text(put_in_place(program, address))
        done = subprocess.run(["java", "Ask.java"], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 ")
    rates = re.findall(r'"region": ?"(\w+)".*?"value": ?([0-9.]+)', done.stdout)
    assert {region: round(float(rate), 2) for region, rate in rates} == {"north": 0.63, "south": 0.45}
