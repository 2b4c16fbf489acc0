"""What people do with it: runs by hand, status, backups, the web UI, forgetting a person."""
