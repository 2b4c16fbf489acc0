"""Moving data: dlt extracts, Dagster orchestrates.

Everything with side effects, in the order in which a record travels; each part knows only those before it: `vendors`
asks the APIs, `raw` keeps their answers, `tables` builds from these, `orchestration` presents all of it to Dagster, and
`operations` is what people do with it. `transforms` says what the data means, `warehouse` which tables exist.
"""

import os

# No telemetry. dlt reads this only once, when it is imported.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
