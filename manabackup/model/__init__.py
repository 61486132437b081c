"""What data means: the tables, what rows say to people, changes, spaces, and the projection onto records. Pure."""
