"""The ``.mana`` archive: container, manifest, sums, reader and writer. The format is ``formats/mana-v2.md``."""
