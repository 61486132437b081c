"""The page that opens archives by itself: plain HTML, CSS and JavaScript under ``page/``, put together here.

``page/reader`` is a second implementation of ``formats/mana-v2.md``. Nothing is built and nothing is fetched: what a
browser runs stands in the page as it was written, one module behind the other.
"""
