"""What people do with Chargehouse: runs by hand, status, backups, the web UI, forgetting a person."""
