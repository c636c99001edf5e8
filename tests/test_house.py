"""The house stays tidy: what documents name exists, rooms import what they may, files stay small."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("space", "feedback", "training", "conversion")
MAY_IMPORT = {
    "space": {"space", "feedback"},
    # The value that everything is about, and the judge of what is English: nothing else of the app.
    "feedback": {"feedback", "space.proofread.edits", "space.proofread.lexicon"},
    "training": {"training", "space", "feedback", "conversion"},
    "conversion": {"conversion", "space"},
}
HEAVY = {"gradio", "llama_cpp", "torch", "transformers", "huggingface_hub", "datasets", "peft", "trl"}
# The rooms of training from the bottom up: none imports one that comes later.
TRAINING = ("runs", "data", "base", "finetune", "evaluation", "release")
# Modules in a circle that is known and is going to be opened, and imports that still point up.
LARGEST_FILE = 50_000_000  # bytes


@cache
def files() -> list[Path]:
    """Every file that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def python_files(room: str) -> list[Path]:
    return [path for path in files() if path.suffix == ".py" and path.is_relative_to(ROOT / room)]


def imports(path: Path, typing: bool = True) -> Iterator[str]:
    """The full names of the modules that a file imports, at its top or in a function; `typing`: for type checkers too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in () if typing else list(ast.walk(tree)):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


# ---- what is carried ----


def test_no_file_is_larger_than_50_mb() -> None:
    assert [path for path in files() if path.stat().st_size > LARGEST_FILE] == []


def test_nothing_is_left_undone_or_tied_to_one_machine() -> None:
    unwanted = re.compile(
        r"\b(TODO|FIXME|XXX|NotImplementedError)\b|^<<<<<<< |^>>>>>>> |breakpoint\(\)"
        r"|(?<![\w.~-])/(work|root|home)/|(?<![\w-])\.\./\w+/data\b",
        re.MULTILINE,
    )
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in files()
        if path != Path(__file__) and path.suffix in {".py", ".md", ".txt", ".toml", ".css", ".js", ""}
        for match in unwanted.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


# ---- who imports whom ----


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    found = {(path.name, name) for path in python_files(room) for name in imports(path)}
    allowed = tuple(f"{name}." for name in MAY_IMPORT[room])
    assert {
        (path, name)
        for path, name in found
        if name.split(".")[0] in ROOMS and not f"{name}.".startswith(allowed)
    } == set()


@cache
def import_graph() -> dict[str, set[str]]:
    """Every module of ours, by its full name, with those of ours that it imports when it runs."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for room in ROOMS
        for path in python_files(room)
    }
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for module, path in modules.items():
        for name in imports(path, typing=False):
            while name and name not in modules:  # of a name in a module, the module
                name = name.rpartition(".")[0]
            graph[module] |= {name} - {"", module}
    return graph


def reached(graph: dict[str, set[str]], start: str) -> set[str]:
    """The modules that one imports, however indirectly."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of modules that all import each other, however indirectly."""
    below = {module: reached(graph, module) for module in graph}
    found = {frozenset(other for other in below[module] if module in below[other]) for module in graph}
    return [set(circle) for circle in found if circle]


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a.b\ndef f():\n    from c import d\n"
    )
    assert set(imports(path)) == {"typing.TYPE_CHECKING", "a.b", "c.d"}
    assert set(imports(path, typing=False)) == {"typing.TYPE_CHECKING", "c.d"}


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "d.e"}, "d.e": set()}
    assert circles(graph) == [{"b", "c"}]


def test_modules_import_each_other_one_way() -> None:
    graph = import_graph()
    assert len(graph) > 100 and "training.runs.experiments" in graph["training.finetune.sft"]
    assert circles(graph) == []


def test_the_rooms_of_training_import_downwards() -> None:
    def floor(module: str) -> int:
        room, name = [*module.split("."), ""][:2]
        return TRAINING.index(name) if room == "training" and name in TRAINING else -1

    upward = {
        (module, name)
        for module, names in import_graph().items()
        for name in names
        if 0 <= floor(module) < floor(name)
    }
    assert upward == set()


def test_only_the_page_knows_gradio() -> None:
    knowing = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in python_files(room)
        for name in imports(path)
        if name.split(".")[0] == "gradio"
    }
    page = {f"space/page/{name}.py" for name in ("ui", "layout", "handlers", "feedback_form")}
    assert knowing == {"space/api.py", "space/app.py", "space/server.py", *page}


@pytest.mark.parametrize(
    ("room", "requirements"),
    [
        ("space", ["requirements.txt"]),
        ("feedback", ["requirements.txt"]),
        ("training", ["requirements.txt", "training/requirements.txt"]),
        ("conversion", ["requirements.txt", "training/requirements.txt"]),
        ("tests", ["requirements.txt", "training/requirements.txt", "tests/requirements.txt"]),
    ],
)
def test_every_import_is_required(room: str, requirements: list[str]) -> None:
    text = "\n".join((ROOT / name).read_text() for name in requirements)
    # The comment that names the optional ones counts: it says how to install them.
    named = {_canonical(word) for word in re.findall(r"[A-Za-z][\w.-]*", text)}
    owners = packages_distributions()
    missing = set()
    for path in python_files(room):
        for name in imports(path):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top in (*ROOMS, "tests"):
                continue
            if not named & {_canonical(owner) for owner in owners.get(top, [top])}:
                missing.add((path.name, top))
    assert missing == set()


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("room", ROOMS)
def test_help_needs_nothing_heavy(room: str) -> None:
    """`--help` answers at once: what takes seconds to import is imported by the commands that use it."""
    code = (
        f"import sys, runpy; sys.argv = ['{room}', '--help']\n"
        f"try: runpy.run_module('{room}', run_name='__main__')\n"
        f"except SystemExit as stop: assert not stop.code, stop.code\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    ran = run(sys.executable, "-c", code)
    assert ran.returncode == 0 and ran.stderr == "[]\n" and ran.stdout.startswith("usage: "), ran


# ---- what the documents name ----


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_path_in_the_readme_exists() -> None:
    text = readme()
    linked = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    tops = {path.relative_to(ROOT).parts[0] for path in files()}
    coded = [
        word
        for span in re.findall(r"`([^`\n]+)`", text)
        for word in re.findall(r"[\w./-]+", span)
        if "/" in word.strip("/") and word.split("/")[0] in tops
    ]
    assert coded, "the README names no file at all"
    assert [name for name in (*linked, *coded) if not (ROOT / name).exists()] == []


def test_the_file_tree_in_the_readme_is_true() -> None:
    """The block that starts with a folder: two or four blanks, or box-drawing lines, are one level."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", readme(), re.MULTILINE | re.DOTALL)
    trees = [
        block for block in blocks if re.match(r"(?:\./?\n)?[│├└─ ]*(?:space|README\.md|[\w.-]+)/?\s", block)
    ]
    trees = [block for block in trees if re.search(r"^[│├└─ ]*space/", block, re.MULTILINE)]
    assert len(trees) == 1, "the README has one file tree"
    named: set[str] = set()
    folders: list[tuple[int, str]] = []
    for line in trees[0].splitlines():
        match = re.match(r"([│├└─\s]*)([\w.-]+(?:/[\w.-]+)*/?)", line)
        if not match or match.group(2) in {".", "./"}:
            continue
        depth, name = len(match.group(1)), match.group(2)
        while folders and folders[-1][0] >= depth:
            folders.pop()
        path = "".join(folder for _, folder in folders) + name
        named.add(path.rstrip("/"))
        if name.endswith("/"):
            folders.append((depth, name))
    assert {name for name in named if not (ROOT / name).exists()} == set()
    modules = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in python_files(room)
        if path.name not in {"__init__.py", "__main__.py"}
    }
    assert modules - named == set(), "the tree leaves modules out"


def test_every_command_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^\s*)make ([a-z]+)", readme(), re.MULTILINE)) <= targets
    text = readme() + run("make", "--dry-run", "train", "DATA=data").stdout
    named: dict[tuple[str, str], set[str]] = {}
    for room, command, rest in re.findall(
        rf"-m ({'|'.join(ROOMS)}) +([a-z]+)([^\n`#|]*)", text.replace("\\\n", " ")
    ):
        named.setdefault((room, command), set()).update(re.findall(r"(?<!\S)--[\w-]+", rest))
    assert len(named) > len(ROOMS)
    for (room, command), options in sorted(named.items()):
        ran = run(sys.executable, "-m", room, command, "--help")
        assert ran.returncode == 0 and ran.stdout.startswith("usage: "), (room, command, ran.stderr)
        assert options <= set(re.findall(r"--[\w-]+", ran.stdout)), (room, command)


def test_make_lists_its_commands() -> None:
    listed = run("make").stdout
    phony = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    for target in phony:
        assert f"make {target} " in listed
        ran = run("make", "--dry-run", target, "SPACE=user/name", "DATA=data")
        assert ran.returncode == 0, ran.stderr


def test_make_says_what_python_it_needs(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt", "training/requirements.txt", "tests/requirements.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    ran = subprocess.run(
        ["make", "run", "PYTHON=no-such-python"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1
    assert "Python 3.10 or newer is needed" in ran.stderr
    assert not (tmp_path / ".venv").exists()
