"""From a vendor's pages to the raw log: the objects without personal data, and how far each list has been read."""
