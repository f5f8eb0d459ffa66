"""The page of `cmif attest page` in headless Chromium: prints what is shown and what axe finds, and keeps its picture."""

import json
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

asked = json.load(sys.stdin)
AXE = Path(asked["axe"]).read_text("utf-8")
told: dict[str, Any] = {"problems": [], "elsewhere": [], "axe": []}

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=asked["chromium"], headless=True, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    )
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.on("console", lambda message: told["problems"].append(message.text))
    page.on("request", lambda request: request.url.startswith((asked["page"], "data:")) or told["elsewhere"].append(request.url))
    for name in ("accepted", "refused"):
        page.goto(asked[name])
        told[name] = page.text_content("main")
        told[f"{name}, title"] = page.text_content("h1")
        page.evaluate(AXE)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate("axe.run()")["violations"]
            told["axe"] += [f"{name}, {one['id']} ({one['impact']}): {one['nodes'][0]['html']}" for one in found]
        page.emulate_media(color_scheme="light")
        page.screenshot(path=f"{asked['pictures']}/attest-{name}.png", full_page=True)
    page.goto(asked["accepted"])
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # checks again
    page.wait_for_load_state()
    told["again"] = page.text_content("h1")
    page.set_viewport_size({"width": 360, "height": 740})
    told["scrolls sideways"] = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    browser.close()
print(json.dumps(told))
