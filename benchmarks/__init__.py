"""What Chargehouse costs, next to other programs and a lower bound. `python -m benchmarks` prints the table."""
