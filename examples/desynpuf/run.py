"""Posts the yearly adherence of a folder of DE-SynPUF files to an exchange of its own, and asks it back.

    python -m examples.desynpuf.run FOLDER [--json]

FOLDER holds `bene.csv` and `pde.csv`; `cells` says what they are. All goes over HTTP, as in `parley demo`.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from textwrap import wrap
from typing import Final

import yaml

from adapters.database import migrate
from api.demo.exact import Exact, put_exact_beside
from api.demo.printing import WIDTH, Narrator, epsilon_text, share_cells, table
from api.demo.registrar import Participant, Registrar
from api.demo.server_process import running_server
from api.settings import witness_beside
from contracts.drafting.losses import DEFAULT_CEILING_RHO
from contracts.ledger.statements import loss
from contracts.parties import JsonObject
from examples.desynpuf.cells import YEARS, Member, adherence_cells, exact_adherence, read_members
from privacy.units import budget_nano

NAMES: Final = {"partd": "The payer of the sample", "heron": "Heron Pharma"}
QUESTIONS: Final[Mapping[str, Mapping[str, str]]] = {"overall": {}, "by sex": {"by": "sex"}}

Members = Mapping[str, list[Member]]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser("python -m examples.desynpuf.run", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder with bene.csv and pde.csv")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    missing = [name for name in ("bene.csv", "pde.csv") if not (arguments.folder / name).is_file()]
    if missing:
        parser.error(f"{arguments.folder} has no {' and no '.join(missing)}")
    narrator = Narrator(sys.stderr if arguments.json else sys.stdout)
    results = run(arguments.folder, narrator)
    if arguments.json:
        print(json.dumps(results, indent=2))
    else:
        narrator.say(*results_text(results))
    return 0


def run(folder: Path, narrator: Narrator) -> JsonObject:
    """Answers with the exact values beside them, receipts and loss, from a temporary exchange."""
    members = {year: read_members(folder, year) for year in YEARS}
    counts = " and ".join(f"{len(of_year)} in {year}" for year, of_year in members.items())
    narrator.told(f"The claims are read: persons with a share of days covered, {counts}.")
    with TemporaryDirectory(prefix="parley-desynpuf-") as temporary:
        exchange = Path(temporary)
        database_url = f"sqlite:///{exchange / 'parley.sqlite'}"
        migrate(database_url)
        with (
            running_server(database_url, exchange / "server.log") as address,
            Registrar.bootstrap(database_url, witness_beside(database_url), address, exchange / "keys") as registrar,
        ):
            narrator.told(f"An exchange is up at {address}.")
            return _post_and_ask(registrar, members, narrator)


def _post_and_ask(registrar: Registrar, members: Members, narrator: Narrator) -> JsonObject:
    document = _contract()
    payer, brand = _agree(registrar, document)
    narrator.told(f"The contract {document['id']} is in force.")
    receipts = [
        payer.client.submit(document["id"], "adherence", year, adherence_cells(of_year))
        for year, of_year in members.items()
    ]
    narrator.told(f"{len(receipts)} years of cells are posted.")
    exact = _exact([member for of_year in members.values() for member in of_year])
    answers = {
        name: put_exact_beside(brand.client.ask(document["id"], "adherence_rate", **question), exact[name])
        for name, question in QUESTIONS.items()
    }
    narrator.told("Adherence is asked back.")
    return {
        "answers": answers,
        "receipts": receipts,
        "approval": document["privacy"]["approvals"]["partd-sample"],
        "loss": payer.client.ledger(document["id"])["lifetime"],
    }


def _contract() -> JsonObject:
    today = datetime.now(UTC).date()
    template = Template(Path(__file__).with_name("contract.yaml").read_text(encoding="utf-8"))
    days = {"effective": today.isoformat(), "expires": (today + timedelta(days=365)).isoformat()}
    document: JsonObject = yaml.safe_load(template.substitute(days))
    return document


def _agree(registrar: Registrar, document: JsonObject) -> tuple[Participant, Participant]:
    """Register both parties, draft, propose and sign. Payer and brand."""
    ceilings = document["privacy"]["ceilings"]
    payer, brand = (
        registrar.add_party(
            party["organisation"],
            NAMES[party["organisation"]],
            party["role"],
            party["population"],
            ceilings.get(party["population"], DEFAULT_CEILING_RHO),
        )
        for party in document["parties"]
    )
    payer.client.draft(document)
    payer.client.propose(document["id"])
    for party in (payer, brand):
        party.sign(document["id"])
    return payer, brand


def _exact(members: list[Member]) -> dict[str, Exact]:
    """By question: the rates of both years together, a person counted once in each."""
    rates = {group: rate.value for group, rate in exact_adherence(members).items()}
    overall = rates.pop("overall")
    return {
        "overall": {("adherence_rate", ()): overall},
        "by sex": {("adherence_rate", (sex,)): rate for sex, rate in rates.items()},
    }


def results_text(results: JsonObject) -> list[str]:
    """Answers and what they cost, as lines of plain text."""
    rows = [
        [" ".join(row["key"].values()) or "overall", *share_cells(row)]
        for answer in results["answers"].values()
        for row in answer["rows"]
    ]
    title = "Adherence: share of persons with at least 80% of days covered by any drug, both years together"
    lines = ["", title, "", *table(["group", "estimate", "95% interval", "exact"], rows)]
    return [*lines, "", *wrap(_budget_text(results), WIDTH)]


def _budget_text(results: JsonObject) -> str:
    """What the budget bought, and what it would mean for real people."""
    spent, approval = results["loss"], results["approval"]
    default = loss(budget_nano(DEFAULT_CEILING_RHO), spent["delta"])
    ends = results["answers"]["overall"]["rows"][0]["interval"]
    points = 50 * (ends["upper"] - ends["lower"])
    wider = sqrt(spent["rho_nano"] / default.rho_nano)
    return (
        f"What the budget means: the two years cost rho {spent['rho']}, epsilon {epsilon_text(spent)} at "
        f"delta {spent['delta']}. That is five times the default ceiling of rho {DEFAULT_CEILING_RHO} "
        f"(epsilon {epsilon_text({'epsilon': default.epsilon})}) and a weak promise to one person, so the "
        f"contract names who approved it ({approval['name']}) and why ({approval['reason']}). Noise does "
        f"not shrink with the number of people: at the default the overall interval, now +/- {points:.1f} "
        f"points, would be about +/- {points * wider:.0f}. For real people, post a larger population instead of a "
        "larger budget."
    )


if __name__ == "__main__":
    sys.exit(main())
