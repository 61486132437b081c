"""One warm process, one server, and a template of each home folder."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.operations.databases import StorePlaces, export_rows
from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from tests.support.homes import Computer, Newcomer, Owner, fill, move_in
from tests.support.loads import SHOP, SMALL, SMALL_SHAPE, profile_of

from .scenes import COUNT, KEY, Filling, Healing, Loading, Pulling, Restoring, Scene, SigningIn, Writing, told
from .steps import Runner, compiled

FIXTURES = Path(__file__).parents[2] / "fixtures"
NEW = {"id": "added-later", "title": "later", "createdAt": "2026-04-20T08:15:30.123Z"}


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Runs commands, every step numbered."""
    folder = tmp_path_factory.mktemp("runner")
    with Runner(compiled(folder), folder) as runner:
        yield runner


@pytest.fixture(scope="session")
def box() -> Iterator[Sandbox]:
    """The servers."""
    with Sandbox() as running:
        yield running


class Studio:
    """Makes scenes, each once."""

    def __init__(self, run: Runner, box: Sandbox, folder: Path) -> None:
        self._run = run
        self.box = box
        self._folder = folder
        self._scenes: dict[str, Scene] = {}
        self._templates: dict[str, Computer] = {}
        self.owner: Owner = move_in(box, Plan(seed=21, rows=40, oddities=True))

    def __call__(self, name: str) -> Scene:
        """A scene, with what an undisturbed run of it leads to."""
        if name not in self._scenes:
            scene: Scene = getattr(self, name.replace(" ", "_").replace("-", "_"))(name)
            computer = scene.begin()
            done = self._run(computer, *scene.arguments(computer), root=computer.home)
            assert done.code in scene.codes, told(done)
            scene.codes = (done.code,)
            scene.learn(computer)
            scene.check_done(computer)
            self._scenes[name] = scene
        return self._scenes[name]

    # --- home folders

    def _template(self, name: str, make: Callable[[Computer], None]) -> Computer:
        if name not in self._templates:
            home = self._folder / name
            home.mkdir(mode=0o700)
            computer = self.owner.at(Computer(home, self.box.url))
            computer.archive.parent.mkdir()
            (home / "in").mkdir()
            make(computer)
            for path in home.rglob("*"):
                if path.is_file():
                    path.chmod(0o600)
            self._templates[name] = computer
        return self._templates[name]

    def _copy(self, of: Computer, computer: Computer, *parts: str) -> None:
        for part in parts:
            shutil.copytree(of.home / part, computer.home / part, dirs_exist_ok=True)

    def _sign_in(self, computer: Computer) -> None:
        self.owner.sign_in(computer)

    def _signed_in(self) -> Computer:
        return self._template("signed-in", self._sign_in)

    def _stale(self) -> Computer:
        """Pulled, before something was added."""

        def make(computer: Computer) -> None:
            self._copy(self._signed_in(), computer, "state")
            done = computer("pull")
            assert done.code == 0, done.err
            user = self.owner.account.user_id
            self.box.log.append(user, "laptop", "notes", {"table": "notes", "op": "insert", "id": "new", "data": NEW})

        return self._template("stale", make)

    def _pulled(self) -> Computer:
        def make(computer: Computer) -> None:
            self._copy(self._stale(), computer, "state")
            done = computer.export(output=computer.home / "in" / "plain.mana")
            assert done.code == 0, done.err
            done = computer(
                "seal", str(computer.home / "in" / "plain.mana"), "-o", str(computer.home / "in" / "s.mana")
            )
            assert done.code == 0, done.err
            (computer.home / "in" / "key").write_text(KEY.hex())
            shutil.copy(FIXTURES / "v1" / "life.mana", computer.home / "in" / "v1.mana")

        return self._template("pulled", make)

    def _with_output(self) -> Computer:
        """The same, and an older archive where the output goes."""

        def make(computer: Computer) -> None:
            self._copy(self._pulled(), computer, "state", "in")
            done = computer.export("--offline", "--table", "tasks")
            assert done.code == 0, done.err

        return self._template("with-output", make)

    # --- scenes

    def _writing(self, name: str, template: Computer, *arguments: str, key: bytes | None = None) -> Writing:
        def whole(computer: Computer) -> list[str]:
            home = computer.home
            return [*(part.replace("@", f"{home}/in/") for part in arguments), "-o", str(computer.archive), "--json"]

        return Writing(name, template, whole, ("out",), (0, 3), key=key)

    def export(self, name: str) -> Scene:
        return self._writing(name, self._pulled(), "export", "--offline")

    def export_over(self, name: str) -> Scene:
        return self._writing(name, self._with_output(), "export", "--offline", "--force")

    def sealed_export_over(self, name: str) -> Scene:
        return self._writing(name, self._with_output(), "export", "--offline", "--seal", "--force")

    def whole_export_over(self, name: str) -> Scene:
        """From the servers, by way of a mirror that is behind."""

        def make(computer: Computer) -> None:
            self._copy(self._stale(), computer, "state")
            self._copy(self._with_output(), computer, "out")

        return self._writing(name, self._template("stale-with-output", make), "export", "--force")

    def seal(self, name: str) -> Scene:
        return self._writing(name, self._pulled(), "seal", "@plain.mana")

    def unseal_over(self, name: str) -> Scene:
        return self._writing(name, self._with_output(), "unseal", "@s.mana", "--force")

    def rekey_over(self, name: str) -> Scene:
        arguments = ("rekey", "@plain.mana", "--to-key-file", "@key", "--force")
        return self._writing(name, self._with_output(), *arguments, key=KEY)

    def convert_over(self, name: str) -> Scene:
        arguments = ("convert", "@v1.mana", "--key-file", "@key", "--force")
        return self._writing(name, self._with_output(), *arguments)

    def tables(self, name: str) -> Scene:
        return self._filling(name, self._pulled())

    def tables_over(self, name: str) -> Scene:
        """An older folder is where the new one goes, with what somebody wrote into it."""

        def make(computer: Computer) -> None:
            self._copy(self._pulled(), computer, "in")
            folder = computer.home / "out" / "tables"
            folder.mkdir(mode=0o700)
            (folder / "mine.md").write_text("mine")

        return self._filling(name, self._template("with-tables", make), "--force")

    def _filling(self, name: str, template: Computer, *arguments: str) -> Scene:
        def whole(computer: Computer) -> list[str]:
            chosen = ("--table", "tasks", "--table", "notes", *arguments)
            archive, folder = computer.home / "in" / "plain.mana", computer.home / "out" / "tables"
            return ["convert", str(archive), "--to", "csv", "-o", str(folder), *chosen, "--json"]

        return Filling(name, template, whole, ("out",), (0, 3))

    def load(self, name: str) -> Scene:
        """Into a database that holds one of the rows otherwise."""
        there = "INSERT INTO people VALUES (1, 'Somebody', NULL); INSERT INTO orders VALUES (7, 1, 'kept');"
        return self._loading(name, there)

    def load_into_a_new_one(self, name: str) -> Scene:
        return self._loading(name, None)

    def _loading(self, name: str, there: str | None) -> Scene:
        shape = (
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, password TEXT);"
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people, note TEXT);"
        )

        def make(computer: Computer) -> None:
            home = computer.home
            (home / "in" / "shop.toml").write_text(SHOP)
            with closing(sqlite3.connect(home / "in" / "source.sqlite")) as connection:
                connection.executescript(f"{shape} INSERT INTO people VALUES (1, 'Anna', 'hunter2');")
                rows = [(number, 1, "n" * 500) for number in range(100, 160)]
                connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
                connection.commit()
            places = StorePlaces({"main": home / "in" / "source.sqlite"})
            export_rows(profile_of(), places, "1", home / "in" / "anna.mana")
            if there is not None:
                with closing(sqlite3.connect(home / "out" / "shop.sqlite")) as connection:
                    connection.executescript(f"{shape} {there}")

        def whole(computer: Computer) -> list[str]:
            home = computer.home
            store = ["--store", f"main={home / 'out' / 'shop.sqlite'}"]
            ways = ["--create", "--on-conflict", "overwrite", "--yes", "--json"]
            return ["profile", "load", str(home / "in" / "shop.toml"), str(home / "in" / "anna.mana"), *store, *ways]

        return Loading(name, self._template(name.replace(" ", "-"), make), whole, ("out",))

    def split(self, name: str) -> Scene:
        """A shared database into the folder of tables, which has another one in its place."""

        def make(computer: Computer) -> None:
            (computer.home / "in" / "small.toml").write_text(SMALL)
            with closing(sqlite3.connect(computer.home / "in" / "small.sqlite")) as connection:
                connection.executescript(";".join(SMALL_SHAPE))
                connection.executemany("INSERT INTO people VALUES (?, ?)", [("a", 1), ("b", 2)])
                rows = [(number, number * 10, "ab"[number % 2], None, "x" * 300) for number in range(40)]
                connection.executemany("INSERT INTO things VALUES (?, ?, ?, ?, ?)", rows)
                connection.commit()
            folder = computer.home / "out" / "tables"
            folder.mkdir(mode=0o700)
            (folder / "mine.md").write_text("mine")

        def whole(computer: Computer) -> list[str]:
            home = computer.home
            store = f"main={home / 'in' / 'small.sqlite'}"
            profile = str(home / "in" / "small.toml")
            return [
                "profile",
                "split",
                profile,
                "--store",
                store,
                "-o",
                str(home / "out" / "tables"),
                "--force",
                "--json",
            ]

        return Filling(name, self._template("split", make), whole, ("out",))

    def first_pull(self, name: str) -> Scene:
        self._stale()  # that is when something is added
        return Pulling(name, self._signed_in(), lambda computer: ["pull", "--json"], ("state",))

    def later_pull(self, name: str) -> Scene:
        return Pulling(name, self._stale(), lambda computer: ["pull", "--json"], ("state",))

    def full_pull(self, name: str) -> Scene:
        return Pulling(name, self._stale(), lambda computer: ["pull", "--full", "--json"], ("state",))

    def healing_pull(self, name: str) -> Scene:
        def make(computer: Computer) -> None:
            self._copy(self._stale(), computer, "state")
            (mirror,) = (computer.state / "mirrors").glob("*.sqlite")
            with closing(sqlite3.connect(mirror)) as connection:
                connection.execute("DELETE FROM page WHERE id IN (SELECT min(id) FROM page)")
                connection.commit()

        return Healing(name, self._template("damaged", make), lambda computer: ["pull", "--json"], ("state",))

    def login(self, name: str) -> Scene:
        return self._login(name, self._template("empty", lambda computer: None))

    def login_over(self, name: str) -> Scene:
        # A session that is replaced is ended, and other scenes need theirs.
        leaving = self._template("signed-in-before", self._sign_in)
        return self._login(name, leaving, "--force")

    def _login(self, name: str, template: Computer, *arguments: str) -> Scene:
        template.environ["MANABACKUP_PASSWORD"] = self.owner.account.password
        whole = ["login", "--email", self.owner.account.email, "--json", *arguments]
        return SigningIn(name, template, lambda computer: whole, ("state",))

    def restore(self, name: str) -> Scene:
        source, target = (Newcomer(self.box, uuid4().hex, KEY) for _ in range(2))
        fill(self.box, source.id, range(COUNT), "mine")
        home = next(space.id for space, _ in self.box.accounts.spaces.of_user(target.id))

        def make(computer: Computer) -> None:
            source.at(computer)
            path = computer.home / "in" / "source.mana"
            done = computer.export("--table", "tasks", output=path)
            assert done.code == 0, done.err
            shutil.rmtree(computer.state)
            target.at(computer)

        def whole(computer: Computer) -> list[str]:
            archive = str(computer.home / "in" / "source.mana")
            return ["restore", archive, "--shared-into-personal", "--personal-space", home, "--yes", "--json"]

        template = self._template("restore", make)
        return Restoring(name, template, whole, ("state",), (0, 3), box=self.box, user=target.id)


@pytest.fixture(scope="session")
def scene(run: Runner, box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Makes scenes by name."""
    return Studio(run, box, tmp_path_factory.mktemp("scenes"))
