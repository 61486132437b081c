"""Databases that are no server of Mana's, and the data-model profiles that say whose rows stand in them.

``profile`` is what a profile says, ``loading`` reads one, ``catalog`` is what a database says of itself, ``agreement``
holds the two beside each other, ``queries`` asks for the rows of one person. All of these decide and read nothing;
``sqlite`` and ``postgresql`` read and decide nothing. Rows go back by ``target``, what is written into: ``cells`` makes
values of an archive's, ``creation`` tables of its description, ``order`` says which table comes first, and
``postgresql_target`` and ``sqlite_target`` write. The format of profiles: ``formats/profiles.md``.
"""
