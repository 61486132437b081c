"""Take your data out of Mana, and put it back."""

__version__ = "0.1.0"
