"""Follow: every change in the mirror within seconds, for as long as somebody lets it run.

The server's streams of events are a wake-up call and nothing else (``listening``): what they say may be lost, cut or
late, and is never stored. A pull of the apps that they name follows at once, and a whole pull at long intervals,
whatever they say (``following``, ``timetable``). The mirror and its lock are taken for a pull and let go after it, so
that other commands work beside it (``pulling``). What happened is told and counted (``chronicle``); that nobody else
follows is said by a lock of its own, beside which stands how far it is (``record``). Archives, when ``archiving`` says
so, are written by ``export`` in a process of its own (``exports``).
"""
