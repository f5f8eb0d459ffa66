"""The page in headless Chromium, by keyboard: prints what is shown and what axe finds, and keeps two pictures."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

asked = json.load(sys.stdin)
AXE = Path(asked["axe"]).read_text("utf-8")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
told: dict[str, Any] = {"problems": [], "elsewhere": [], "axe": []}


def judge(page: Page) -> None:
    found = page.evaluate("axe.run()")["violations"]
    told["axe"] += [f"{one['id']} ({one['impact']}): {one['nodes'][0]['html']}" for one in found]


def texts(page: Page, *kinds: str) -> dict[str, str | None]:
    return {kind: page.text_content(f"article .{kind}") for kind in kinds}


with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
    browser = playwright.chromium.launch_persistent_context(
        profile, executable_path=asked["chromium"], headless=True, args=FLAGS, viewport={"width": 1280, "height": 900}
    )
    page = browser.pages[0]
    page.on("console", lambda message: told["problems"].append(message.text))
    page.on("pageerror", lambda error: told["problems"].append(str(error)))
    page.on("dialog", lambda dialog: (told["problems"].append("a dialog"), dialog.dismiss()))
    origin = asked["ui"].partition("/#")[0]
    page.on("request", lambda request: request.url.startswith((origin, "data:")) or told["elsewhere"].append(request.url))
    page.goto(asked["ui"])
    page.wait_for_function("sessionStorage.getItem('key')")
    told["address"] = page.url.removeprefix(origin)

    page.keyboard.press("Tab")
    told["first stop"] = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")  # skips to the message
    page.focus("#message")
    page.keyboard.type(asked["text"])
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("article:not([aria-busy])")
    told["turn"] = texts(page, "typed", "sees", "wrote", "reads")
    told["rows"] = page.locator("article tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    told["focus"] = page.evaluate("document.activeElement.id")
    told["status"] = page.text_content("#status")
    told["epsilon"] = page.text_content("#epsilon")
    told["engine"] = page.text_content("#engine") if page.locator("#engine").count() else None

    page.keyboard.type(asked["text"])
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # compares the policies
    page.wait_for_selector("#compared:not([hidden])")
    told["policies"] = page.locator("#policies h3").all_text_contents()
    told["script ran"] = page.evaluate("window.ran === 1")

    page.locator("summary").press("Enter")  # the plot's table
    told["points"] = page.locator("#plot-table tbody tr").count()
    told["drawn"] = page.locator(".plot .ours circle:not(.ring), .plot rect").count()
    told["own"] = page.locator(".plot .ring").count()
    told["line"] = page.evaluate("getComputedStyle(document.querySelector('.plot polyline')).fill")

    page.evaluate(AXE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        judge(page)
        page.screenshot(path=f"{asked['pictures']}/{asked['picture']}-{scheme}.png", full_page=True)
    page.set_viewport_size({"width": 360, "height": 740})
    told["scrolls sideways"] = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    judge(page)

    other = browser.new_page()  # the address again: its token is spent, and this tab has no key
    other.goto(asked["ui"])
    other.wait_for_function("document.getElementById('alert').textContent")
    told["opened again"] = other.text_content("#alert")
    browser.close()
print(json.dumps(told))
