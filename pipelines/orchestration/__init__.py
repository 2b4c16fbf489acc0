"""Everything as Dagster sees it: assets, checks, jobs, schedules, sensors, runs and alerts."""
