"""Audit: what the server holds of an account that should not be so.

``auditing`` folds the mirror's changes as an export does, looks at each row (``rows``), at what has to be brought
together from all rows (``ciphertexts``, ``references``), and at the vault. What it finds are ``findings``; ``sarif``
writes them for other programs. ``fix_plaintext`` encrypts in place what stands in clear, by the way of a restore; all
else changes nothing.
"""
