"""Draft a revision: `python -m adapters.database.migrations "what changes"`. Read it before you keep it."""

import sys
import tempfile

from adapters.database.schema import draft_revision

if len(sys.argv) != 2:
    sys.exit(__doc__)
with tempfile.TemporaryDirectory() as folder:
    draft_revision(f"sqlite:///{folder}/draft.db", sys.argv[1])
