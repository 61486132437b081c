"""A PostgreSQL for the tests of this folder."""

from tests.support.databases import empty as empty
from tests.support.databases import role as role
from tests.support.databases import server as server
