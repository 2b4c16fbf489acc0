"""From the raw log to the tables of the lake: staging, the months of the facts, the dimensions, the coverage."""
