"""The notebook runs as an analyst would run it: against the exchange that the demo leaves behind, through a profile."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from nbclient import NotebookClient

from api.cli import main
from api.demo.server_process import running_server
from contracts.parties import JsonObject

REPOSITORY = Path(__file__).parents[2]
NOTEBOOK = REPOSITORY / "examples" / "notebook" / "joint-statistics.ipynb"
SECONDS_AT_MOST = 120
# What the cells have made, told by one more of them.
FOUND = """
print(json.dumps({
    "regions": regions,
    "years": sorted(rates["year"].unique()),
    "states": sorted(rates["state"].unique()),
    "rates": rates["value"].tolist(),
    "quarters": by_quarter["quarter"].nunique(),
    "axes": [len(figure.axes), len(curves.axes)],
    "drawn": [len(axes.lines), len(axes.collections), len(axes_of_curves.lines), len(axes_of_curves.collections)],
    "terms": [term["name"] for term in working["terms"]],
    "covered": coverage["covered"].tolist(),
    "spent": spent.to_dict(),
}))
"""


def read_notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_notebook_is_kept_without_outputs_counts_and_places_of_a_machine() -> None:
    notebook, text = read_notebook(), NOTEBOOK.read_text()
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert len(code) >= 8
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None or cell.metadata] == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert re.findall(r"/(?:home|Users|root|tmp|work)/|[A-Z]:\\\\|127\.0\.0\.1|localhost", text) == []


def test_every_link_of_the_notebook_leads_somewhere() -> None:
    prose = "\n".join(cell.source for cell in read_notebook().cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", prose)

    assert links
    assert [link for link in links if not (NOTEBOOK.parent / link).exists()] == []


class Extreme:
    """Answers as exchanges do where almost all are adherent, or almost nobody: noise takes the value out of 0 to 1, and
    out of its interval."""

    def ask(self, contract_id: str, statistic: str, **question: str) -> JsonObject:
        rows = [self._row("north", 1.0012, 0.9955, 1.0), self._row("south", -0.0007, 0.0, 0.0031)]
        return {"rows": rows, "estimand": "A rate.", "confidence": 0.95}

    def _row(self, region: str, value: float, lower: float, upper: float) -> JsonObject:
        ends = {"lower": lower, "upper": upper}
        key = {"region": region, "year": "2024"}
        return {"key": key, "state": "shown", "value": value, "interval": ends, "total_interval": ends}


def test_a_rate_out_of_its_own_interval_is_drawn_as_a_dot_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    cells = {cell.id: cell.source for cell in read_notebook().cells}
    made: dict[str, Any] = {}
    exec(cells["setup"].replace("= connect()", "= None"), made)
    made["exchange"] = Extreme()
    for name in ("ask", "plot"):
        exec(cells[name], made)

    (dots,) = made["axes"].lines
    lines = [segment[:, 0].tolist() for drawn in made["axes"].collections for segment in drawn.get_segments()]
    made["figure"].canvas.draw()
    made["plt"].close(made["figure"])
    assert dots.get_xdata().tolist() == [1.0012, -0.0007]
    assert lines == [[0.9955, 1.0], [0.0, 0.0031]] * 2


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The profiles of somebody who has played the demo, kept it, and put its exchange up again."""
    folder = tmp_path_factory.mktemp("notebook")
    own = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    subprocess.run(
        [sys.executable, "-m", "api.cli", "demo", "--keep", str(folder / "demo")],
        env=own,
        check=True,
        capture_output=True,
        timeout=SECONDS_AT_MOST,
    )
    file = folder / "profiles.toml"
    key = folder / "demo" / "keys" / "helix-client.json"
    with running_server(f"sqlite:///{folder / 'demo' / 'parley.sqlite'}", folder / "server.log") as url:
        words = ["profile", "add", "demo", "--url", url, "--client-id", "helix-client", "--client-key", str(key)]
        added = CliRunner().invoke(main, words, env={"PARLEY_PROFILES_FILE": str(file)})
        assert added.exit_code == 0, added.output
        yield file


@pytest.mark.slow
def test_the_notebook_runs_from_a_profile_to_tables_pictures_and_a_receipt(
    profiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("PARLEY_", "JUPYTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PARLEY_PROFILES_FILE", str(profiles))
    monkeypatch.setenv("PARLEY_PROFILE", "demo")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = read_notebook()
    notebook.cells.append(nbformat.v4.new_code_cell(FOUND))
    (tmp_path / "analysis").mkdir()
    where = {"metadata": {"path": str(tmp_path / "analysis")}}

    NotebookClient(notebook, timeout=SECONDS_AT_MOST, resources=where).execute()

    outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    assert not [output for each in outputs.values() for output in each if output.get("name") == "stderr"]
    for pictured in ("plot", "quarters"):
        assert [sorted(output.data) for output in outputs[pictured]] == [["image/png", "text/plain"]]
    found = json.loads(notebook.cells[-1].outputs[0].text)
    assert found["regions"] == ["northeast", "midwest", "south", "west"]
    assert len(found["years"]) == 2
    assert found["states"] == ["shown"]
    assert len(found["rates"]) == 8
    assert all(0.4 < rate < 0.9 for rate in found["rates"])
    assert found["quarters"] == 8
    assert found["axes"] == [1, 1]
    # Dots and two kinds of intervals for each of two years; a line and a band for each region.
    assert found["drawn"] == [2, 4, 4, 4]
    assert found["terms"] == ["members of p80_100", "members"]
    assert found["covered"] == [found["years"]]
    assert found["spent"]["granted"] == "0.1"
    assert [path.name for path in (tmp_path / "analysis").iterdir()] == ["answer.json"]
    verified = CliRunner().invoke(
        main,
        ["receipt", "verify", str(tmp_path / "analysis" / "answer.json")],
        env={"PARLEY_PROFILES_FILE": str(profiles), "PARLEY_PROFILE": "demo"},
    )
    assert verified.exit_code == 0, verified.output
    assert "Genuine" in verified.stdout
