from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest
import typer
from typer.testing import CliRunner

from cmif.cli import further, main
from cmif.errors import InputError


def greet(name: str, loud: bool = False) -> None:
    """Say hello."""
    print(f"hello {name.upper() if loud else name}")


several = typer.Typer(help="Two commands.")
several.command()(greet)
several.command(name="other")(greet)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    here = f"{__name__}:greet"
    points = EntryPoints(
        (
            EntryPoint("greet", here, further.GROUP),
            EntryPoint("several", f"{__name__}:several", further.GROUP),
            EntryPoint("gateway", here, further.GROUP),
            EntryPoint("absent", "cmif_no_such_module:x", "another.group"),
        )
    )
    monkeypatch.setattr(further, "entry_points", lambda **by: points.select(**by))


@pytest.mark.usefixtures("installed")
def test_another_distribution_s_command_is_listed_and_runs() -> None:
    assert "Say hello." in CliRunner().invoke(main.app, ["--help"]).stdout
    assert CliRunner().invoke(main.app, ["greet", "ann", "--loud"]).stdout == "hello ANN\n"


@pytest.mark.usefixtures("installed")
def test_a_group_of_another_distribution_is_listed_under_its_name() -> None:
    lines = CliRunner().invoke(main.app, ["--help"], env={"COLUMNS": "120"}).stdout.splitlines()
    assert any("several" in line and "Two commands." in line for line in lines)


@pytest.mark.usefixtures("installed")
def test_none_of_them_takes_the_place_of_the_product_s_own() -> None:
    told = CliRunner().invoke(main.app, ["gateway", "--help"]).stdout
    assert "hello" not in told
    assert "OpenAI-compatible" in told


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("command", ["eval", "bench"])
def test_a_command_of_the_lab_without_the_lab_says_what_to_install(command: str) -> None:
    told = CliRunner().invoke(main.app, [command, "sst2"])
    assert isinstance(told.exception, InputError)
    assert "cmif-lab" in str(told.exception)
    assert "pip install ./lab" in str(told.exception)


@pytest.mark.usefixtures("installed")
def test_any_other_command_does_not_exist() -> None:
    assert CliRunner().invoke(main.app, ["absent"]).exit_code == 2


def test_a_command_that_needs_the_extra_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without() -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(main, "app", without)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert "pip install './server[engine]'" in capsys.readouterr().err
