"""Field values, recovery codes, master keys and the passphrase seal. No input or output happens here."""
