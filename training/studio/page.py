"""The page of the studio: six screens, which share a folder and a queue of commands."""

from __future__ import annotations

from typing import Any

import gradio as gr

from space.page.layout import THEME as THEME
from training.studio.jobs import Queue
from training.studio.saved_form import SavedForm
from training.studio.screens import compare, data, experiment, release, runs, search, shared
from training.studio.workspace import Workspace

TITLE = "Proofreader studio"
MAX_FILE_BYTES = 500_000_000
SCREENS: dict[str, Any] = {
    "1 Data": data.Screen,
    "2 Experiment": experiment.Screen,
    "3 Runs": runs.Screen,
    "4 Search": search.Screen,
    "5 Compare": compare.Screen,
    "6 Release": release.Screen,
}
CSS = """
main.contain { width: 100%; max-width: 1280px; margin: auto; }
.st-status { font-weight: 600; }
.st-bar { height: 10px; border-radius: 5px; background: var(--border-color-primary); overflow: hidden; }
.st-bar > span { display: block; height: 100%; background: var(--color-accent); }
.st-table { overflow-x: auto; }
.st-table table { border-collapse: collapse; font-size: 14px; }
.st-table td, .st-table th { padding: 4px 10px; border: 0 !important; border-bottom: 1px solid var(--border-color-primary) !important; text-align: left; vertical-align: top; }
.st-table img { max-width: min(100%, 560px); } .st-table p:has(> img) { display: inline-block; margin: 4px; }
.st-better { color: var(--st-good); } .st-worse { color: var(--st-bad); }
:root { --st-good: #166534; --st-bad: #b91c1c; } .dark { --st-good: #86efac; --st-bad: #fca5a5; }
.gradio-container input.subdued { color: var(--body-text-color); }
.gradio-container [data-testid="block-info"] { white-space: normal; overflow-wrap: anywhere; }
@media (max-width: 640px) { .gradio-container { padding: 8px !important; } button { min-height: 44px; } }
"""


def build(workspace: Workspace, queue: Queue) -> gr.Blocks:
    """The page; everything that it shows is read from the folder, so that any number of pages show the same."""
    studio = shared.Studio(workspace, queue)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
        gr.Markdown(
            f"# {TITLE}\nFrom rows to a model that the proofreader serves. Each step shows its command."
        )
        screens: dict[str, Any] = {}
        with gr.Tabs():
            for title, kind in SCREENS.items():
                with gr.Tab(title) as tab:
                    screen = screens[title] = kind(studio)
                # What other screens made since is offered when it is turned to.
                tab.select(screen.refreshed, None, screen.listed, **shared.HIDDEN)
        rows, trained, _, searched, *_ = screens.values()
        trained.connect(rows)
        searched.connect(rows, trained)
        _remember(blocks, screens, workspace)
    return blocks


def _remember(blocks: gr.Blocks, screens: dict[str, Any], workspace: Workspace) -> None:
    """Saves what a person fills in, and puts it into a page that is loaded, with what there is to choose from."""
    fields = {
        f"{title}: {name}": field
        for title, screen in screens.items()
        for name, field in screen.fields.items()
    }
    form, is_restored = SavedForm(workspace.folder, fields), gr.State(False)

    def save(found: dict[Any, Any]) -> None:
        if found[is_restored]:  # else these are the defaults, which a page begins with
            form.save(found)

    # Not `input`, which is not fired by all that a person does in a dropdown.
    changes = [field.change for field in fields.values()]
    gr.on(changes, save, {is_restored, *fields.values()}, trigger_mode="always_last", **shared.HIDDEN)

    def loaded() -> dict[Any, Any]:
        choices = [
            pair
            for screen in screens.values()
            for pair in zip(screen.listed, screen.refreshed(), strict=True)
        ]
        return form.restored(dict(choices)) | {is_restored: True}

    listed = {component for screen in screens.values() for component in screen.listed}
    blocks.load(loaded, None, [is_restored, *({*fields.values()} | listed)], **shared.HIDDEN)
