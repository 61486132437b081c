"""Two states side by side: two archives, an archive and the account, a whole round trip."""
