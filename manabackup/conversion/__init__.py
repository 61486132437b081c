"""An archive in forms that other programs and people read.

One module a format, registered in :mod:`manabackup.conversion.formats`. A converter is given the rows of an archive by
:class:`~manabackup.conversion.reading.Reading`, which knows what is to be left out, and a place to write to. What its
format cannot hold it notes in :class:`~manabackup.conversion.left_out.LeftOut`: nothing disappears without a word.
"""
