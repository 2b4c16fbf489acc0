"""Singer: a tap made with the Singer SDK, and a target that loads DuckDB. It pulls, and builds no facts."""
