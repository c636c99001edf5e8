"""The house stays tidy: what documents name exists, rooms import what they may, files stay small."""

from __future__ import annotations

import ast
import importlib
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from huggingface_hub import SpaceCard, SpaceHardware

from space import __version__
from tests import tree
from tests.tree import ROOMS, ROOT

MAY_IMPORT = {
    "space": {"space", "feedback"},
    # The value that everything is about, and the judge of what is English: nothing else of the app.
    "feedback": {"feedback", "space.proofread.edits", "space.proofread.lexicon"},
    "training": {"training", "space", "feedback", "conversion"},
    # Of feedback what writes to the Hub.
    "conversion": {"conversion", "space", "feedback.dataset", "feedback.errors", "feedback.hub_errors"},
}
HEAVY = {"gradio", "llama_cpp", "torch", "transformers", "huggingface_hub", "datasets", "peft", "trl"}
# The rooms of training from the bottom up: none imports one that comes later.
TRAINING = ("runs", "data", "base", "finetune", "evaluation", "release", "studio")
LARGEST_FILE = 100_000_000  # bytes


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


def test_no_file_is_larger_than_100_mb() -> None:
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


def test_only_the_pages_know_gradio() -> None:
    knowing = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in python_files(room)
        for name in imports(path)
        if name.split(".")[0] == "gradio"
    }
    page = {f"space/page/{name}.py" for name in ("ui", "layout", "handlers", "feedback_form")}
    screens = ("shared", "data", "experiment", "runs", "search", "compare", "release")
    studio = {
        f"training/studio/{name}.py"
        for name in ("page", "controls", "saved_form", *(f"screens/{name}" for name in screens))
    }
    assert knowing == {"space/api.py", "space/app.py", "space/server.py", *page, *studio}


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


# ---- what the documents say ----

DOCUMENTS = sorted(
    path
    for path in files()
    if path.suffix == ".md"
    and (path.parent in (ROOT, ROOT / "docs") or path.is_relative_to(ROOT / "space" / "models"))
    and path.name != "CHANGELOG.md"  # it names what there was
)
TOPS = {path.relative_to(ROOT).parts[0] for path in files()}


def paths_in(text: str) -> list[str]:
    """Paths in code (spans and indented lines) that begin with a file or folder of the root."""
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^ {4,}(.*)", text, re.MULTILINE)
    words = [word for span in code for word in re.findall(r"(?<![\w./:-])[\w.-]+/[\w./-]*", span)]
    return [word for word in words if "/" in word.strip("/") and word.split("/")[0] in TOPS]


def documents() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)


def test_paths_are_found_in_code() -> None:
    text = "`space/app.py` and `python -m pytest tests/no.py`\n\n    make test ARGS=docs/none.md\n    http://space/x"
    assert paths_in(text) == ["space/app.py", "tests/no.py", "docs/none.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_a_document_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    missing = [name for name in linked if not (document.parent / name).exists()]
    assert missing + [name for name in paths_in(text) if not (ROOT / name).exists()] == []


def test_documents_name_paths_and_each_other() -> None:
    names = {str(path.relative_to(ROOT)) for path in DOCUMENTS}
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "space/models/README.md"} <= names
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name in names if name.startswith("docs/")} <= set(re.findall(r"\]\(([^)]+)\)", readme))
    assert len(paths_in(documents())) > 50


def test_the_file_trees_are_those_of_the_files() -> None:
    assert {path.name for path in tree.outdated()} == set(), "python -m tests.tree --write"


def test_every_module_says_in_one_line_what_it_is() -> None:
    said = {path: tree.summary(path) for room in ROOMS for path in python_files(room)}
    assert [str(path) for path, line in said.items() if not line.endswith((".", ")"))] == []


def test_every_command_in_the_documents_exists() -> None:
    text = documents()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = set(re.findall(r"(?:`|^ {4})(?:[A-Z_]+=\S+ )*make ([a-z]+)", text, re.MULTILINE))
    assert {"run", "test", "lint", "deploy"} <= made <= targets
    for module in re.findall(r"-m (tests(?:\.\w+)+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module
    text += run("make", "--dry-run", "train", "DATA=data").stdout
    named: dict[tuple[str, str], set[str]] = {}
    for room, command, rest in re.findall(
        rf"-m(?:odule)? ({'|'.join(ROOMS)}) +([a-z]+)([^\n`#|]*)", text.replace("\\\n", " ")
    ):
        named.setdefault((room, command), set()).update(re.findall(r"(?<!\S)--[\w-]+", rest))
    assert len(named) > 20
    for (room, command), options in sorted(named.items()):
        with redirect_stdout(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
            importlib.import_module(f"{room}.__main__").main([command, "--help"])
        assert ended.value.code == 0 and said.getvalue().startswith("usage: "), (room, command)
        assert options <= set(re.findall(r"--[\w-]+", said.getvalue())), (room, command)


def test_the_layers_in_the_architecture_are_those_of_the_imports() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\d+\. (.*)", text, re.MULTILINE)
    layers = {name: number for number, line in enumerate(lines) for name in re.findall(r"`([\w.]+)`", line)}
    packages = {"space", "space.proofread"}

    def layer(module: str) -> int:
        return layers[max((name for name in layers if f"{module}.".startswith(f"{name}.")), key=len)]

    graph = {
        module: {name for name in names if name.startswith("space.") and name not in packages}
        for module, names in import_graph().items()
        if module.startswith("space.") and module not in packages
    }
    assert set(layers) <= {*graph}, "a layer names no module"
    upward = {
        (module, name) for module, names in graph.items() for name in names if layer(module) < layer(name)
    }
    assert upward == set()


def test_the_readme_is_short_and_its_card_complete() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 130
    card = SpaceCard(text).data
    assert {"title", "emoji", "colorFrom", "colorTo", "license", "tags", "models"} <= set(card.to_dict())
    assert card.sdk == "gradio" and (ROOT / card.app_file).is_file()
    assert len(card.short_description) <= 60  # the Hub refuses a longer one
    assert SpaceHardware(card.suggested_hardware) is SpaceHardware.CPU_BASIC
    (pinned,) = re.findall(r"^gradio==(\d+\.\d+)\.", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert card.sdk_version.startswith(f"{pinned}.")


def test_the_changelog_has_this_release() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)


def test_the_container_is_given_what_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"}
    sources = {source for line in copied for source in line.split()} - {"wheel[s]"}  # made by `make wheel`
    assert sources and {source.split("/")[0] for source in sources} | {"wheels"} == admitted
    assert all(list(ROOT.glob(source)) for source in sources)
    readme = (ROOT / "README.md").read_text()
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert all(f"`{name}`" in readme for name in compose["services"]["app"]["environment"])


def test_make_lists_its_commands() -> None:
    listed = run("make").stdout
    phony = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    for target in phony:
        assert f"make {target} " in listed
        ran = run("make", "--dry-run", target, "SPACE=user/name", "DATA=data", "VERSION=9.9.9")
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
