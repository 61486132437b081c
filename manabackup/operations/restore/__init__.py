"""Restore: an archive's rows back into an account, in a way that every web client shows.

Three steps. The target is read and folded (``target``), and every row of the archive is decided on (``plan``) and made
into changes (``changes``), which lie in the outbox before the first byte is sent. They are pushed (``push``). Then the
account is read again and held against the outbox (``check``). ``job`` joins the steps, of which only the plan is the
own business of a restore (``run``), and of encrypting in place what stands in clear (``sealing``); a run that died goes
on where it stopped.
"""
