"""A report about an archive, to attach to a ticket or a CI run: what it is, whether it is whole, how much is in it.

Never a word out of a row. ``content`` is what a report says, ``render`` how: HTML without a script, Markdown, JSON.
"""
