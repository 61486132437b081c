"""One module for each thing that is measured: its jobs, and ``measure``, which gives the lines of the table."""
