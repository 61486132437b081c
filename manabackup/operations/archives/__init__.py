"""Archives by themselves: describe, verify, seal, unseal, convert."""
