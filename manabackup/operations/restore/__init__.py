"""Restore: an archive's rows back into an account, in a way that every web client shows.

Three steps. The target is read and folded (``target``), and every row of the archive is decided on (``decision``) and
made into changes (``changes``), which lie in the outbox before the first byte is sent. They are pushed (``push``). Then
the account is read again and held against the outbox (``check``). ``job`` has the steps, of which only the plan is the
own business of a restore (``from_archive``), and of encrypting in place what stands in clear (``encrypt_in_place``).
``workflow`` says in which order they come, with the question between plan and push; a run that died goes on where it
stopped.
"""
