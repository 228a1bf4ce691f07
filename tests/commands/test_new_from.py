"""`ganlab new … --package DIR --from FILE`: a plugin file becomes a package."""

from __future__ import annotations

import runpy
import sys
import tomllib
from pathlib import Path

import pytest

from ganlab.commands.cli import run
from ganlab.kinds import KINDS
from ganlab.scaffold.division import divide
from ganlab.scaffold.files import template

HEAVY = '''\
# Written on a Sunday.
"""A discriminator that somebody has."""
import torch
from torch import nn
import torch.nn.functional as F
from pydantic import Field

import numpy as np

from ganlab import DiscriminatorComponent, ImageSpec, Options, hookimpl

SLOPE = 0.2
WIDTHS = [4, 8]  # in the hooks and in the network


class CriticOptions(Options):
    width: int = Field(WIDTHS[0], ge=1)
    """Channels."""


# It has no batch statistics.
def block(channels: int, width: int) -> nn.Module:
    return nn.Conv2d(channels, width, 4, stride=2, padding=1)


class Critic(nn.Module):
    def __init__(self, width: int, image: ImageSpec) -> None:
        super().__init__()
        self.body = block(image.channels, width)
        self.scales = WIDTHS

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(self.body(images), SLOPE).mean((1, 2, 3))


def build(options: CriticOptions, image: ImageSpec):
    """Return the network."""
    return nn.Sequential(Critic(int(np.add(options.width, 1)), image), nn.Identity())


@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(
        name="my-critic", summary="One convolution", options=CriticOptions, build=build
    )
'''

LIGHT = HEAVY.replace("import torch\nfrom torch import nn\nimport torch.nn.functional as F\n", "").replace(
    "import numpy as np\n", ""
)
LIGHT = LIGHT[: LIGHT.index("# It has no")] + (
    "def build(options: CriticOptions, image: ImageSpec):\n    from torch import nn\n\n"
    "    return nn.Sequential(nn.Flatten(), nn.Linear(image.channels * image.height * image.width, 1))\n\n\n"
    + LIGHT[LIGHT.index("@hookimpl") :]
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    forget()
    return tmp_path


def forget() -> None:
    """Drop the modules of packages that were imported from elsewhere."""
    for module in [name for name in sys.modules if name.partition(".")[0] == "ganlab_my_critic"]:
        del sys.modules[module]


def new(source: str, name: str = "my-critic", *, kind: str = "discriminator") -> int:
    Path("my_critic.py").write_text(source)
    return run(["new", kind, name, "--package", "mine", "--from", "my_critic.py"])


def keeps_its_promises(monkeypatch: pytest.MonkeyPatch, *components: str) -> None:
    """Run the package's own tests of its components."""
    forget()
    monkeypatch.syspath_prepend("mine/src")
    (file,) = Path("mine/tests").glob("test_*.py")
    tests = runpy.run_path(str(file))
    assert [*tests["COMPONENTS"]] == [*components]
    for name in tests["COMPONENTS"]:
        tests["test_it_keeps_the_promises_of_its_kind"](name)


@pytest.mark.slow
def test_hooks_are_parted_from_what_imports_torch(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(HEAVY) == 0
    assert run(["check", "mine/src/ganlab_my_critic"]) == 0
    assert "hook modules import neither torch" in capsys.readouterr().out
    keeps_its_promises(monkeypatch, "discriminator my-critic")
    hooks = Path("mine/src/ganlab_my_critic/__init__.py").read_text()
    code = Path("mine/src/ganlab_my_critic/discriminator.py").read_text()
    assert hooks.startswith(
        '# Written on a Sunday.\n"""A discriminator that somebody has."""\n\nfrom __future__'
    )
    assert "# It has no batch statistics.\ndef block(" in code and "def block(" not in hooks
    assert "WIDTHS = [4, 8]" in hooks and "SLOPE = 0.2" in code
    assert "from ganlab_my_critic import WIDTHS\n" in code
    lazy = ("from torch import nn", "import numpy as np", "from ganlab_my_critic.discriminator import Critic")
    assert '"""Return the network."""\n' + "".join(f"    {line}\n" for line in lazy) + "\n    return" in hooks
    experiment = tomllib.loads(Path("mine/experiments/my-critic.toml").read_text())
    assert experiment["discriminator"] == {"name": "my-critic"}


@pytest.mark.slow
def test_what_is_light_stays_in_one_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    light = (
        LIGHT.replace("SLOPE = 0.2", "if TYPE_CHECKING:\n    from torch import nn")
        .replace(
            "from pydantic",
            "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nfrom pydantic",
        )
        .replace("image: ImageSpec):", "image: ImageSpec) -> nn.Module:")
    ) + '\n\nif __name__ == "__main__":\n    import torch\n'
    assert new(light) == 0
    assert "torch" not in capsys.readouterr().out
    assert Path("mine/src/ganlab_my_critic/__init__.py").read_text() == light
    keeps_its_promises(monkeypatch, "discriminator my-critic")
    assert [path.name for path in Path("mine/src").glob("*/*.py")] == ["__init__.py"]
    assert "`src/ganlab_my_critic/__init__.py` has all of it." in Path("mine/README.md").read_text()


@pytest.mark.parametrize(
    "heavy",
    [
        HEAVY.replace("build=build", "build=lambda options, image: Critic(options.width, image)"),
        HEAVY.replace("    width: int", '    start: "torch.Tensor"\n    width: int'),
        HEAVY.replace("SLOPE = 0.2", "SLOPE = 0.2\n\n\ndef count():\n    global SLOPE\n    SLOPE += 1"),
        HEAVY.replace("Field(WIDTHS[0], ge=1)", "Field(torch.tensor(4).item(), ge=1)"),
        HEAVY.replace("import torch\n", "import ganlab\nimport torch\n").replace("@hook", "@ganlab.hook"),
    ],
)
def test_what_hooks_need_at_once_cannot_be_parted_from_them(heavy: str) -> None:
    assert heavy != HEAVY
    assert divide(heavy, "m", "m.code") is None


@pytest.mark.parametrize(
    "heavy",
    [
        HEAVY + "\nassert SLOPE\n",
        HEAVY.replace("SLOPE = 0.2", 'SLOPE = 0.2\nMode = int\nAlias = list["Mode"]').replace(
            "    width: int", "    modes: Alias = []\n    width: int"
        ),
    ],
    ids=["it does more than define", "a name in quotes outside of annotations"],
)
def test_what_cannot_be_parted_stays_as_it_is(heavy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert new(heavy) == 0
    assert Path("mine/src/ganlab_my_critic/__init__.py").read_text() == heavy
    assert not Path("mine/src/ganlab_my_critic/discriminator.py").exists()
    assert "my_critic.py is the package's one module as it is" in capsys.readouterr().out


def parted(source: str) -> tuple[str, str]:
    assert source != HEAVY
    divided = divide(source, "ganlab_my_critic", "ganlab_my_critic.discriminator")
    assert divided is not None
    for each in divided:
        compile(each, "module", "exec")
    return divided


def test_what_annotations_name_is_there_for_type_checkers() -> None:
    hooks, code = parted(
        HEAVY.replace("image: ImageSpec):", 'image: ImageSpec) -> "Critic | nn.Module":').replace(
            "import numpy as np\n", "if typing.TYPE_CHECKING:\n    from torch import Tensor\n"
        )
        + "\n\ndef later(images: Tensor) -> None: ...\n"
    )
    types = (
        "if TYPE_CHECKING:\n    from torch import nn\n    from ganlab_my_critic.discriminator import Critic\n"
    )
    assert types in hooks and "from __future__ import annotations" in hooks
    assert "torch" not in hooks[: hooks.index(types)]
    assert "if TYPE_CHECKING:\n    from torch import Tensor\n" in code and "Tensor" not in hooks
    assert "__future__" not in code


def test_names_in_quotes_are_names() -> None:
    hooks, _ = parted(
        HEAVY.replace("SLOPE = 0.2", "Mode = int\nLater = float\nSLOPE = 0.2\n").replace(
            "    width: int", '    mode: "Mode | None" = None\n    width: int'
        )
    )
    assert "\nMode = int\n" in hooks and "Later" not in hooks


@pytest.mark.parametrize("own", ["F = image", "def F(): ...", "class F: ...", "from math import pi as F"])
def test_what_an_inner_function_calls_so_is_another_thing(own: str) -> None:
    inner = f"    def inner():\n        {own}\n        return F\n\n"
    hooks, _ = parted(HEAVY.replace("    return nn.Seq", f"{inner}    F.relu\n    return nn.Seq"))
    assert "    import torch.nn.functional as F\n" in hooks
    hooks, _ = parted(HEAVY.replace("    return nn.Seq", f"{inner}    return nn.Seq"))
    assert "functional" not in hooks


def test_what_it_does_as_a_program_goes_with_the_code() -> None:
    program = '\n\nif __name__ == "__main__":\n    print(build(CriticOptions(), ImageSpec(1, 8, 8)))\n'
    hooks, code = parted(HEAVY + program)
    assert "__main__" not in hooks and code.endswith(program)
    assert "from ganlab_my_critic import WIDTHS, CriticOptions, build\n" in code


def test_no_module_takes_the_place_of_what_hooks_call_so() -> None:
    assert new(HEAVY.replace("def build", "def discriminator").replace("=build", "=discriminator")) == 0
    hooks = Path("mine/src/ganlab_my_critic/__init__.py").read_text()
    assert "from ganlab_my_critic.discriminator_code import Critic" in hooks
    assert "`src/ganlab_my_critic/discriminator_code.py` what they make" in Path("mine/README.md").read_text()


def test_tabs_stay() -> None:
    hooks, _ = parted(HEAVY.replace("    ", "\t"))
    assert "\tfrom torch import nn\n" in hooks


@pytest.mark.parametrize("docstring", ["", '"""A discriminator."""\n'])
def test_comments_at_the_top_and_behind_imports_stay(docstring: str) -> None:
    licence = "# SPDX-License-Identifier: MIT\n# Copyright somebody\n"
    plain = HEAVY.split('"""\n', 1)[1].replace("import torch\n", "import torch  # type: ignore\n", 1)
    for source in (f"{licence}\n{docstring}{plain}", f"{docstring}{licence}\n{plain}"):
        hooks, code = parted(source)
        for each in (hooks, code):
            assert each.startswith(source[: source.index("import")].rstrip())
        assert "import torch  # type: ignore\n" in code


def test_a_function_with_a_decorator_may_come_first() -> None:
    decorated = HEAVY.replace(
        '    """Return the network."""\n', "    @torch.no_grad()\n    def inner() -> None: ...\n\n"
    )
    hooks, _ = parted(decorated)
    assert "import torch\n" in hooks[: hooks.index("@torch.no_grad()")]


SECOND = """

def build_loss(options: Options):
    from ganlab import Loss

    return type("Own", (Loss,), {"generator": lambda self, game: -game.fake_logits.mean()})()


@hookimpl
def ganlab_losses():
    yield LossComponent(
        name="own", summary="WGAN's", options=Options, build=build_loss, needs=frozenset({"discriminator"})
    )
"""


@pytest.mark.slow
def test_all_that_a_file_offers_is_named_and_tested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(LIGHT.replace("import Disc", "import LossComponent, Disc") + SECOND) == 0
    keeps_its_promises(monkeypatch, "discriminator my-critic", "loss own")
    assert "it offers discriminator `my-critic` and loss `own`" in capsys.readouterr().out
    assert "The discriminator `my-critic` and the loss `own` for ganlab" in Path("mine/README.md").read_text()
    project = tomllib.loads(Path("mine/pyproject.toml").read_text())["project"]
    assert project["description"] == "The discriminator `my-critic` and the loss `own` for ganlab"


def test_what_it_reads_beside_itself_has_to_come_along(capsys: pytest.CaptureFixture[str]) -> None:
    Path("slope.txt").write_text("0.2")
    reading = "from pathlib import Path\n\nSLOPE = float((Path(__file__).parent / 'slope.txt').read_text())"
    assert new(HEAVY.replace("SLOPE = 0.2", reading)) == 0
    assert "`__file__`): what it reads beside itself has to be copied into mine/src/ganlab_my_critic\n" in (
        capsys.readouterr().out
    )
    code = Path("mine/src/ganlab_my_critic/discriminator.py").read_text()
    assert "from pathlib import Path\n" in code and "__file__" in code


@pytest.mark.parametrize("kind", KINDS)
def test_what_ganlab_writes_can_be_parted(kind: str) -> None:
    hooks, code = divide(template(f"{kind}.py"), "scaffold_module", "scaffold_module.code") or ("", "")
    assert "@hookimpl" in hooks and "torch" not in hooks.replace("torchvision", "") and "class " in code


def test_what_it_imports_is_what_it_depends_on() -> None:
    assert (
        new(LIGHT.replace("    from torch import nn\n", "    import hypothesis\n    from torch import nn\n"))
        == 0
    )
    project = tomllib.loads(Path("mine/pyproject.toml").read_text())["project"]
    assert project["dependencies"] == ["ganlab>=0.1", "hypothesis"]


def test_without_an_experiment_that_fits_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert new(LIGHT.replace("Field(WIDTHS[0], ge=1)", "Field(ge=1)")) == 0
    assert "no experiment was written" in capsys.readouterr().out
    assert not list(Path("mine").rglob("*.toml"))[1:]
    for file in ("mine/README.md", "mine/.github/workflows/tests.yml"):
        assert "experiments/" not in Path(file).read_text()


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        (LIGHT, {"name": "other"}, "offers no discriminator `other`; it offers discriminator `my-critic`"),
        (LIGHT, {"kind": "generator"}, "offers no generator `my-critic`"),
        ("1/0\n", {}, "ZeroDivisionError"),
        (f"import beside\n{LIGHT}", {}, "imports beside, which lies beside it"),
        (LIGHT.replace("my-critic", "dcgan"), {"name": "dcgan"}, "take another name"),
    ],
)
def test_files_that_are_refused(
    source: str, arguments: dict[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("beside.py").write_text("")
    assert new(source, **arguments) == 2  # type: ignore[arg-type]
    assert message in capsys.readouterr().err
    assert not Path("mine").exists()
