"""Moving data: dlt extracts, Dagster orchestrates.

Everything with an effect, in the order of a record's way, each part knowing only those before it: `vendors` asks the
APIs, `raw` keeps what they answer, `tables` builds from that, `orchestration` is all of it as Dagster sees it, and
`operations` what people do with it. What data means stands in `transforms`, what tables exist in `warehouse`.
"""

import os

# Nobody is told of our runs. dlt looks for this when it is imported, and never again.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
