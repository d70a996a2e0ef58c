"""What pyproject.toml cannot say: pause/ is compiled into the package, and files go beside it."""

import importlib.util
import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithPause(build_py):
    """Copies the Python files as ever, and compiles pause beside them."""

    def run(self) -> None:
        """Fill build_lib; in an editable installation the source tree itself."""
        super().run()
        here = Path(__file__).resolve().parent
        package = here if self.editable_mode else Path(self.build_lib)
        if self.editable_mode and importlib.util.find_spec("ziglang") is None:
            # --no-build-isolation in an environment without it. The rest of agtool works.
            self.warn("ziglang is not installed: agtool.pause will have no programs")
            return
        build = runpy.run_path(str(here / "pause" / "build.py"))["build"]
        build(package / "agtool" / "pause" / "data")


SHARE = Path("share")
"""Man pages and completions, which `make dist` makes; a build from the repository has none."""

setup(
    cmdclass={"build_py": BuildWithPause},
    # Beside `agtool` on PATH, where kubectl looks for plugins.
    scripts=[
        "deploy/kubectl-plugin/kubectl-agtool",
        "deploy/kubectl-plugin/kubectl_complete-agtool",
    ],
    data_files=[
        (str(folder), [str(path) for path in sorted(folder.iterdir()) if path.is_file()])
        for folder in sorted(SHARE.rglob("*"))
        if folder.is_dir()
    ],
)
