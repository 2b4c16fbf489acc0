"""What Chargehouse costs, side by side with what nobody can go below. `python -m benchmarks` prints the table."""
