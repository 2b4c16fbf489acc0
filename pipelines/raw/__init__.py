"""From a vendor's pages to the raw log: what is read, without personal data, with how far it reaches."""
