"""The machine: files that appear whole or not at all, spools, sorting, processes, interrupts, SQLite's complaints."""
