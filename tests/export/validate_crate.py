"""Validate an RO-Crate with roc-validator without a network: python validate_crate.py CRATE CONTEXT

Runs in the environment of roc-validator. CONTEXT is a file with the JSON-LD context of RO-Crate 1.1.
Prints one line for each requirement that does not hold; the exit status is 1 if there is one.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from rocrate_validator import services
from rocrate_validator.models import ValidationSettings
from rocrate_validator.utils.http import HttpRequester

URL = "https://w3id.org/ro/crate/1.1/context"
CRATE, CONTEXT = sys.argv[1:]


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
settings = ValidationSettings(
    rocrate_uri=CRATE,
    profile_identifier="provenance-run-crate-0.5",
    requirement_severity="REQUIRED",
    offline=True,
)
result = services.validate(settings)
for issue in result.get_issues():
    print(issue.check.identifier, issue.severity.name, " ".join(str(issue.message).split()))
checked = {check.identifier for check in result.executed_checks}
print(f"{len(checked)} checks, {len(result.skipped_checks)} skipped")
for check in result.skipped_checks:
    print("skipped", check)
sys.exit(not result.passed())
