"""Validate an RO-Crate with roc-validator, without a network.

    python validate_crate.py CONTEXT CRATE...

Runs in the environment of roc-validator. CONTEXT is a file: the JSON-LD context of RO-Crate 1.1.
Prints a line for each crate: whether it is valid. After them stands what does not hold.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from rocrate_validator import services
from rocrate_validator.models import ValidationSettings
from rocrate_validator.utils.http import HttpRequester

URL = "https://w3id.org/ro/crate/1.1/context"
CONTEXT, *CRATES = sys.argv[1:]


def get(self, url, **options):
    """The context from the file; all else is not in the cache."""
    if url != URL:
        return self.session.get(url, **options)
    content = Path(CONTEXT).read_text()
    return SimpleNamespace(
        status_code=200,
        headers={"Content-Type": "application/ld+json"},
        text=content,
        content=content.encode(),
        url=url,
        links={},
        ok=True,
        json=lambda: json.loads(content),
        raise_for_status=lambda: None,
    )


HttpRequester.get = get
problems = []
for crate in CRATES:
    settings = ValidationSettings(
        rocrate_uri=crate,
        profile_identifier="provenance-run-crate-0.5",
        requirement_severity="REQUIRED",
        offline=True,
    )
    result = services.validate(settings)
    whole = result.passed() and not result.skipped_checks
    print(f"{crate}: {'valid' if whole else 'not valid'}")
    problems += [f"{one.check.identifier}: {one.message}" for one in result.get_issues()]
    problems += [f"skipped: {one}" for one in result.skipped_checks]
print("\n".join(problems))
