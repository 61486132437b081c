"""A room for each use case. They do not import each other, but for what ``pyproject.toml`` names."""
