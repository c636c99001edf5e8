"""Lets LibreOffice Writer check a paragraph by its LanguageTool setting, and prints what it would underline, as JSON.

    /usr/bin/python3 tests/space/libreoffice.py /usr/bin/soffice http://127.0.0.1:7860/v2 folder "She have it."

The system's Python runs it, for UNO is there, so it imports nothing of ours. The folder takes LibreOffice's profile.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

START_SECONDS = 60
PROOFREADING = 2  # com.sun.star.text.TextMarkupType
SETTING = "/org.openoffice.Office.Linguistic/GrammarChecking/LanguageTool"
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<item oor:path="{path}"><prop oor:name="BaseURL" oor:op="fuse"><value>{url}</value></prop></item>
<item oor:path="{path}"><prop oor:name="IsEnabled" oor:op="fuse"><value>true</value></prop></item>
</oor:items>
"""


def main() -> None:
    office, url, folder, text = sys.argv[1:]
    profile = Path(folder, "profile").resolve()
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(SETTINGS.format(path=SETTING, url=url))
    pipe = f"pipe,name=proofreader{profile.stat().st_ino};urp"
    flags = ["--headless", "--norestore", "--nologo"]
    process = subprocess.Popen(
        [office, *flags, f"-env:UserInstallation={profile.as_uri()}", f"--accept={pipe};"]
    )
    uno = importlib.import_module("uno")  # of the system's Python, and of no package
    try:
        print(json.dumps(errors(uno, connected(uno, pipe), text)))
    finally:
        process.terminate()
        process.wait()


def connected(uno: Any, pipe: str) -> Callable[[str], Any]:
    """The services of the office that has just been started."""
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            context = resolver.resolve(f"uno:{pipe};StarOffice.ComponentContext")
        except uno.getClass("com.sun.star.connection.NoConnectException"):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return lambda name: context.ServiceManager.createInstanceWithContext(
                f"com.sun.star.{name}", context
            )


def errors(uno: Any, service: Callable[[str], Any], text: str) -> list[dict[str, Any]]:
    """What the proofreaders of a Writer document say of its only paragraph."""
    hidden = uno.createUnoStruct("com.sun.star.beans.PropertyValue", "Hidden", 0, True, 0)
    document = service("frame.Desktop").loadComponentFromURL(
        "private:factory/swriter", "_blank", 0, (hidden,)
    )
    document.Text.setString(text)
    paragraph = document.getFlatParagraphIterator(PROOFREADING, True).getFirstPara()
    locale = uno.createUnoStruct("com.sun.star.lang.Locale", "en", "US", "")
    result = service("linguistic2.ProofreadingIterator").checkSentenceAtPosition(
        document, paragraph, paragraph.getText(), locale, 0, -1, -1
    )
    document.close(True)
    return [
        {"offset": each.nErrorStart, "length": each.nErrorLength, "suggestions": list(each.aSuggestions)}
        for each in result.aErrors
    ]


if __name__ == "__main__":
    main()
