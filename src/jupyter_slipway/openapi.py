"""`python -m jupyter_slipway.openapi` prints the OpenAPI document, from which TypeScript's types are made."""

from __future__ import annotations

import json

from jupyter_slipway.api import ENDPOINTS
from jupyter_slipway.web import openapi

if __name__ == "__main__":
    # The version of the API, not of the distribution: a release changes no generated file.
    print(json.dumps(openapi(ENDPOINTS, "1"), indent=2, sort_keys=True))
