"""What this program is called, and which version it is."""

__version__ = "0.1.0"
DATED = "2026-11-30"
"""The date of its manual pages."""
PRODUCT = f"manabackup/{__version__}"
"""As it names itself to servers and in archives."""
