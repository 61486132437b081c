"""Files: what rows refer to, fetched from their services into a store beside the mirror.

Which references a row has is the model's (:mod:`manabackup.model.files`). ``gathering`` brings those of all rows
together by the file that they lead to; ``fetching`` gets each file once, checked, into the ``store``; ``packing`` puts
them into an archive. Like ``account`` this room knows no use case.
"""
