"""What data means: the registry of tables, changes, spaces, and the projection of changes onto records. Pure."""
