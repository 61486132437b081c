"""How fast, and in how little memory: ``python -m benchmarks``. See ``README.md`` in this folder."""
