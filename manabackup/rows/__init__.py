"""What the use cases share about rows: their text, equality, private fields, identity, marks, completeness."""
