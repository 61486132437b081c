"""The account: settings, sessions, its key, and the source that an export reads."""
