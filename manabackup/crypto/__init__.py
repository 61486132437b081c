"""Field values, recovery codes, master keys, the passphrase seal, and bytes set aside. No file is opened here."""
