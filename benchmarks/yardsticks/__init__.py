"""What Chargehouse is measured against: small programs, each as a skilled engineer would write it, each in its own
environment with the exact versions in its `requirements.txt`."""
