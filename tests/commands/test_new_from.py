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
    return tmp_path


def new(source: str, name: str = "my-critic", *, kind: str = "discriminator") -> int:
    Path("my_critic.py").write_text(source)
    return run(["new", kind, name, "--package", "mine", "--from", "my_critic.py"])


def keeps_its_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the package's own tests of its components."""
    for module in ("ganlab_my_critic", "ganlab_my_critic.discriminator"):
        monkeypatch.delitem(sys.modules, module, raising=False)  # as another test wrote it
    monkeypatch.syspath_prepend("mine/src")
    (file,) = Path("mine/tests").glob("test_*.py")
    tests = runpy.run_path(str(file))
    assert tests["COMPONENTS"]
    for name in tests["COMPONENTS"]:
        tests["test_it_keeps_the_promises_of_its_kind"](name)


@pytest.mark.slow
def test_hooks_are_parted_from_what_imports_torch(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(HEAVY) == 0
    assert run(["check", "mine/src/ganlab_my_critic"]) == 0
    assert "hook modules import neither torch" in capsys.readouterr().out
    keeps_its_promises(monkeypatch)
    hooks = Path("mine/src/ganlab_my_critic/__init__.py").read_text()
    code = Path("mine/src/ganlab_my_critic/discriminator.py").read_text()
    assert hooks.startswith(
        '# Written on a Sunday.\n"""A discriminator that somebody has."""\n\nfrom pydantic'
    )
    assert "# It has no batch statistics.\ndef block(" in code and "def block(" not in hooks
    assert "WIDTHS = [4, 8]" in hooks and "SLOPE = 0.2" in code
    assert "from ganlab_my_critic import WIDTHS\n" in code
    lazy = ("from torch import nn", "import numpy as np", "from ganlab_my_critic.discriminator import Critic")
    assert '"""Return the network."""\n' + "".join(f"    {line}\n" for line in lazy) + "\n    return" in hooks
    experiment = tomllib.loads(Path("mine/experiments/my-critic.toml").read_text())
    assert experiment["discriminator"] == {"name": "my-critic"}


@pytest.mark.slow
def test_what_is_light_stays_in_one_module(monkeypatch: pytest.MonkeyPatch) -> None:
    assert new(LIGHT) == 0
    keeps_its_promises(monkeypatch)
    assert [path.name for path in Path("mine/src").glob("*/*.py")] == ["__init__.py"]
    assert "`src/ganlab_my_critic/__init__.py` has all of it." in Path("mine/README.md").read_text()


@pytest.mark.parametrize(
    "heavy",
    [
        HEAVY.replace("build=build", "build=lambda options, image: Critic(options.width, image)"),
        HEAVY.replace("image: ImageSpec):", "image: ImageSpec) -> nn.Module:"),
        HEAVY.replace("Field(WIDTHS[0], ge=1)", "Field(torch.tensor(4).item(), ge=1)"),
        HEAVY.replace("import torch\n", "import ganlab\nimport torch\n").replace("@hook", "@ganlab.hook"),
    ],
)
def test_what_hooks_need_at_once_cannot_be_parted_from_them(heavy: str) -> None:
    assert heavy != HEAVY
    assert divide(heavy, "m", "m.code") is None


def test_what_cannot_be_parted_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    heavy = HEAVY + "\nassert SLOPE\n"
    assert new(heavy) == 0
    assert Path("mine/src/ganlab_my_critic/__init__.py").read_text() == heavy
    assert not Path("mine/src/ganlab_my_critic/discriminator.py").exists()
    assert "my_critic.py is the package's one module as it is" in capsys.readouterr().out


def test_what_has_annotations_that_nobody_reads_can_be_parted() -> None:
    future = HEAVY.replace("import torch\n", "from __future__ import annotations\n\nimport torch\n", 1)
    divided = divide(future.replace("image: ImageSpec):", "image: ImageSpec) -> nn.Module:"), "m", "m.code")
    assert divided is not None
    assert all("from __future__ import annotations" in source for source in divided)
    alone = future.replace("image: ImageSpec):", "image: ImageSpec) -> nn.Module:").replace(
        "nn.Sequential(Critic(int(np.add(options.width, 1)), image), nn.Identity())", "None"
    )
    hooks, _ = divide(alone, "m", "m.code") or ("from torch import nn", "")
    assert "torch" not in hooks


def test_a_function_with_a_decorator_may_come_first() -> None:
    decorated = HEAVY.replace(
        '    """Return the network."""\n', "    @torch.no_grad()\n    def inner() -> None: ...\n\n"
    )
    divided = divide(decorated, "m", "m.code")
    assert decorated != HEAVY and divided is not None
    for source in divided:
        compile(source, "module", "exec")
    assert "import torch\n" in divided[0][: divided[0].index("@torch.no_grad()")]


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
