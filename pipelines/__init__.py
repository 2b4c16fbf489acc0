"""Moving data: dlt extracts, Dagster orchestrates.

Here belong the vendors' APIs, the raw log, the order in which tables are built, the Dagster definitions and the
command line: everything with an effect. What data means stands in `transforms`, what tables exist in `warehouse`.
"""

import os

# Nobody is told of our runs. dlt looks for this when it is imported, and never again.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
