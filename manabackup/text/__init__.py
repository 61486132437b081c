"""Text, exact to the byte: JSON, timestamps, and what may be printed."""
