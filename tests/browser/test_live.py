"""Two people and a disk that changes under them: nobody's word is lost, and nobody is asked anything."""

from __future__ import annotations

import json
import re
import secrets
import time
from pathlib import Path

import pytest
from playwright.sync_api import Error, Route, expect

from tests.browser.people import LabServer, Person, lab_server
from tests.waiting import PATIENCE

pytestmark = pytest.mark.e2e

TEXT = "# %%\nfirst = 1\n\n# %%\nsecond = 2\n\n# %%\nthird = 3\n"
NOTEBOOK = """path => void window.jupyterapp.commands.execute('docmanager:open', {
  path, factory: 'Notebook', kernel: { name: 'python3' }
})"""
EDITOR = "path => void window.jupyterapp.commands.execute('docmanager:open', { path, factory: 'Editor' })"
KERNEL = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
MODEL = "window.jupyterapp.shell.currentWidget?.context.model"
SAVED = "window.jupyterapp.shell.currentWidget.context.save().then(() => true, () => false)"


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("lab")
    (home / "config").mkdir()
    readers = {"ServerApp": {"authorizer_class": "tests.notebooks.readers.Readers"}}
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps(readers))
    with lab_server(home, together=True) as server:
        yield server


def opened(browser, server: LabServer, name: str, file: Path, how: str = NOTEBOOK) -> Person:
    return opens(Person(browser, server, name), file, how)


def opens(person: Person, file: Path, how: str = NOTEBOOK) -> Person:
    server, name = person.server, person.name
    until = time.monotonic() + PATIENCE
    while True:
        try:
            person.page.goto(f"{server.url}/lab/workspaces/{name}?reset&token={name}-token")
            break
        except Error:
            assert time.monotonic() < until, (server.home / "server.log").read_text()[-3000:]
            time.sleep(0.5)
    person.page.wait_for_function("window.jupyterapp?.commands.hasCommand('slipway:new-text-notebook')")
    person.page.evaluate(how, file.name)
    return person


def cell(person: Person, number: int):
    return person.page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(number)


def test_typing_goes_on_while_the_disk_changes(browser, together: LabServer) -> None:
    file = together.root / "live.py"
    file.write_text(TEXT)
    ada, bob = opened(browser, together, "ada", file), opened(browser, together, "bob", file)
    expect(cell(ada, 2)).to_have_text("third = 3")
    expect(cell(bob, 2)).to_have_text("third = 3")
    cell(ada, 0).click()
    ada.page.keyboard.press("End")

    for number in range(40):
        ada.page.keyboard.type(f" w{number}", delay=20)
        if number % 10 == 5:
            file.write_text(file.read_text().replace("third = 3", f"third = 3 + {number}").replace("+ 3 ", ""))

    expect(cell(ada, 2)).to_have_text(re.compile(r"third = 3 \+ 35"))
    # What the server has merged is nothing to ask about.
    ada.page.keyboard.press("Control+s")
    words = " ".join(f"w{number}" for number in range(40))
    expect(cell(bob, 0)).to_have_text(f"first = 1 {words}")
    expect(cell(ada, 0)).to_have_text(f"first = 1 {words}")
    expect(cell(bob, 2)).to_have_text(re.compile(r"third = 3 \+ 35"))
    ada.until_on_disk(lambda: words in file.read_text() and "third = 3 + 35" in file.read_text())
    assert ada.page.locator(".jp-Dialog").count() == 0
    assert (ada.errors, bob.errors) == ([], [])
    bob.page.evaluate(EDITOR, file.name)
    editor = bob.page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_contain_text("second = 2")
    cell(ada, 1).click()
    ada.page.keyboard.press("End")
    ada.page.keyboard.type("2  # from the notebook")
    expect(editor).to_contain_text("second = 22  # from the notebook")
    editor.get_by_text("third = 3").click()
    bob.page.keyboard.press("End")
    bob.page.keyboard.type("  # from the text")
    expect(cell(ada, 2)).to_contain_text("# from the text")
    # Converted, it is a notebook for Bob, too, and he is in the same word.
    ada.page.evaluate("() => void window.jupyterapp.commands.execute('slipway:convert-notebook')")
    expect(bob.page.get_by_role("alert").filter(has_text="live.py is live.ipynb now.")).to_be_visible()
    bob.page.keyboard.type(" and on")
    expect(cell(ada, 2)).to_contain_text("# from the text and on")
    assert bob.page.locator(".jp-FileEditor").count() == 0
    made = together.root / "live.ipynb"
    ada.until_on_disk(lambda: "# from the text and on" in made.read_text())
    assert bob.page.locator(".jp-Dialog").count() == 0
    ada.close()
    bob.close()


def test_who_may_only_read_sees_the_typing_and_is_told(browser, together: LabServer) -> None:
    file = together.root / "read.py"
    file.write_text(TEXT)
    ada = opened(browser, together, "ada", file)
    vera = opened(browser, together, "vera", file, NOTEBOOK.replace("{ name: 'python3' }", "{ shouldStart: false }"))
    expect(cell(vera, 2)).to_have_text("third = 3")
    expect(vera.page.get_by_role("note").get_by_text("You may read this notebook, not change it.")).to_be_visible()
    cell(ada, 0).click()
    ada.page.keyboard.press("End")
    ada.page.keyboard.type("0  # from ada")
    expect(cell(vera, 0)).to_have_text("first = 10  # from ada")
    expect(cell(vera, 0)).to_have_attribute("aria-readonly", "true")
    ada.until_on_disk(lambda: "from ada" in file.read_text())
    vera.page.evaluate(EDITOR, file.name)
    expect(vera.page.get_by_role("note").get_by_text("You may read this file, not change it.")).to_be_visible()
    editor = vera.page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_have_attribute("aria-readonly", "true")
    cell(ada, 1).click()
    ada.page.keyboard.press("End")
    ada.page.keyboard.type("2  # and on")
    expect(editor).to_contain_text("second = 22  # and on")
    ada.close()
    vera.close()


def test_a_shared_notebook_that_cannot_be_read_says_where_and_opens_as_text(browser, together: LabServer) -> None:
    file = together.root / "broken.py"
    file.write_text("# ---\n# jupyter:\n#   kernelspec: {a: b\n# ---\n\n" + TEXT)
    ada = opened(browser, together, "ada", file)
    dialog = ada.page.get_by_role("dialog", name="broken.py does not open as a notebook")
    expect(dialog).to_contain_text("broken.py, line 3: its header cannot be read")
    dialog.get_by_role("button", name="Open with Text Editor").click()
    expect(ada.page.locator(".jp-FileEditor .cm-content")).to_contain_text("kernelspec: {a: b")
    assert ada.page.locator(".jp-Dialog").count() == 0
    ada.close()


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory):
    with lab_server(tmp_path_factory.mktemp("apart"), together=False) as server:
        yield server


def test_without_shared_documents_a_page_merges_instead_of_asking(browser, apart: LabServer) -> None:
    file = apart.root / "live.py"
    file.write_text(TEXT)
    ada = opened(browser, apart, "ada", file)
    expect(cell(ada, 2)).to_have_text("third = 3")
    cell(ada, 0).click()
    ada.page.wait_for_function(f"{MODEL}?.getMetadata('language_info')?.version")
    # What its kernel said is nobody's edit.
    assert ada.page.evaluate(f"{MODEL}.dirty") is False
    ada.page.keyboard.press("End")
    ada.page.keyboard.type("0  # typed")
    assert ada.page.evaluate(f"{MODEL}.dirty") is True

    file.write_text(TEXT.replace("third = 3", "third = 33\nfourth = 4"))

    expect(cell(ada, 2)).to_contain_text("fourth = 4")
    ada.page.keyboard.type(" on")
    expect(cell(ada, 0)).to_have_text("first = 10  # typed on")
    # Right before it is saved: there is no time to hear of it otherwise.
    file.write_text(TEXT.replace("third = 3", "third = 33\nfourth = 4").replace("second = 2", "second = 22"))
    ada.page.keyboard.press("Control+s")
    ada.until_on_disk(lambda: "typed on" in file.read_text())
    assert file.read_text() == TEXT.replace("first = 1", "first = 10  # typed on").replace(
        "second = 2", "second = 22"
    ).replace("third = 3", "third = 33\nfourth = 4")
    expect(cell(ada, 1)).to_have_text("second = 22")
    assert ada.page.locator(".jp-Dialog").count() == 0
    assert ada.errors == []
    ada.close()


def test_without_shared_documents_a_text_editor_merges_instead_of_asking(browser, apart: LabServer) -> None:
    file = apart.root / "words.py"
    file.write_bytes(TEXT.replace("\n", "\r\n").encode())
    ada = opened(browser, apart, "ada", file, EDITOR)
    editor = ada.page.locator(".jp-FileEditor .cm-content")
    editor.get_by_text("first = 1").click()
    ada.page.keyboard.press("End")
    ada.page.keyboard.type("0  # typed")

    file.write_bytes(file.read_bytes().replace(b"third = 3", b"third = 33"))

    expect(editor).to_contain_text("third = 33")
    ada.page.keyboard.type(" on")
    expect(editor).to_contain_text("first = 10  # typed on")
    file.write_bytes(file.read_bytes().replace(b"second = 2", b"second = 22"))
    ada.page.keyboard.press("Control+s")
    ada.until_on_disk(lambda: b"typed on" in file.read_bytes())
    expect(editor).to_contain_text("second = 22")
    wanted = TEXT.replace("first = 1", "first = 10  # typed on").replace("second = 2", "second = 22")
    assert file.read_bytes().decode() == wanted.replace("third = 3", "third = 33").replace("\n", "\r\n")
    assert ada.page.locator(".jp-Dialog").count() == 0
    assert ada.errors == []
    ada.close()


def test_without_shared_documents_a_page_goes_on_in_what_somebody_converted_its_file_to(
    browser, apart: LabServer
) -> None:
    name = f"became_{secrets.token_hex(3)}"  # what a first try has converted is there at the second
    file, made = apart.root / f"{name}.py", apart.root / f"{name}.ipynb"
    file.write_text(TEXT)
    ada = opened(browser, apart, "ada", file)
    cell(ada, 0).click()
    ada.page.wait_for_function(f"{KERNEL}?.status === 'idle'")
    # JupyterLab lets it share that session, and go where that goes.
    reader = opened(browser, apart, "bob", file, EDITOR)
    expect(reader.page.locator(".jp-FileEditor .cm-content")).to_contain_text("third = 3")
    bob = opened(browser, apart, "vera", file)
    expect(cell(bob, 2)).to_have_text("third = 3")
    cell(ada, 0).click()
    ada.page.keyboard.press("End")
    ada.page.keyboard.type("0  # typed")

    bob.page.evaluate("() => void window.jupyterapp.commands.execute('slipway:convert-notebook')")

    for one in (bob, ada):
        expect(one.page.get_by_role("alert").filter(has_text=f"{file.name} is {made.name} now.")).to_be_visible()
        expect(one.page.locator(".lm-TabBar-tabLabel", has_text=made.name)).to_be_visible()
    reader.page.evaluate("() => window.jupyterapp.serviceManager.sessions.refreshRunning()")
    notice = reader.page.get_by_role("alert").filter(has_text=f"{file.name} was converted to {made.name}.")
    expect(notice.get_by_role("button", name=f"Open {made.name}")).to_be_visible()
    expect(reader.page.locator(".lm-TabBar-tabLabel", has_text=file.name)).to_be_visible()
    ada.page.keyboard.type(" on")
    ada.page.keyboard.press("Control+s")
    ada.until_on_disk(lambda: "first = 10  # typed on" in made.read_text())
    assert not file.exists()
    assert [one.page.locator(".jp-Dialog").all_inner_texts() for one in (ada, bob, reader)] == [[], [], []]
    assert [one.errors for one in (ada, bob, reader)] == [[], [], []]
    for one in (ada, bob, reader):
        one.close()


def test_a_page_converts_before_what_follows_its_file_has_come(browser, apart: LabServer) -> None:
    name = f"early_{secrets.token_hex(3)}"
    file, made = apart.root / f"{name}.py", apart.root / f"{name}.ipynb"
    file.write_text(TEXT)
    ada = Person(browser, apart, "ada")
    held: list[Route] = []
    ada.page.route("**/*_notebooks_following_js*", lambda route: held.append(route))
    opens(ada, file)
    cell(ada, 0).click()
    ada.page.keyboard.press("End")
    ada.page.keyboard.type("0  # typed")

    ada.page.evaluate("() => void window.jupyterapp.commands.execute('slipway:convert-notebook')")
    ada.page.wait_for_timeout(500)  # what does not wait for it has asked the server by now
    for one in held:
        one.continue_()

    expect(ada.page.get_by_role("alert").filter(has_text=f"{file.name} is {made.name} now.")).to_be_visible()
    expect(ada.page.locator(".jp-NotebookPanel")).to_have_count(1)
    assert "first = 10  # typed" in made.read_text()
    assert not file.exists()
    assert [ada.page.locator(".jp-Dialog").all_inner_texts(), ada.errors] == [[], []]
    ada.close()


def test_without_shared_documents_that_outputs_are_not_kept_is_said_once_while_the_code_is_saved(
    browser, apart: LabServer
) -> None:
    folder = apart.root / secrets.token_hex(3)
    (folder / ".git").mkdir(parents=True)
    (folder / ".slipway").write_text("in the way")
    (folder / "kept.py").write_text(TEXT)
    ada = Person(browser, apart, "ada")
    ada.visit(folder.name)  # until all is there: the launcher would come over the notebook
    ada.page.evaluate(NOTEBOOK, f"{folder.name}/kept.py")
    ada.page.wait_for_function(f"() => {KERNEL}?.connectionStatus === 'connected'")
    said = ada.page.get_by_role("alert").filter(has_text="The code of kept.py is saved; its outputs are not")

    for typed in ("print(1)", "print(2)"):
        cell(ada, 0).click()
        ada.page.keyboard.press("Control+a")
        ada.page.keyboard.type(typed)
        ada.page.keyboard.press("Control+Enter")
        expect(ada.page.locator(".jp-OutputArea-output")).to_have_text(f"{typed[6]}\n")
        assert ada.page.evaluate(SAVED)
        expect(said).to_have_count(1)
        assert typed in (folder / "kept.py").read_text()
        assert ada.page.evaluate(f"{MODEL}.dirty")
    expect(ada.page.get_by_role("dialog")).to_have_count(0)

    (folder / ".slipway").unlink()
    assert ada.page.evaluate(SAVED)
    expect(said).to_have_count(0)
    assert not ada.page.evaluate(f"{MODEL}.dirty")
    assert ada.errors == []
    ada.close()
