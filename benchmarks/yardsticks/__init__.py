"""What Chargehouse is measured against: small programs, each as somebody skilled would write it, each in an environment
of its own with the exact versions in its `requirements.txt`."""
