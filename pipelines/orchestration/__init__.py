"""The Dagster side: assets, checks, jobs, schedules, sensors, runs and alerts."""
