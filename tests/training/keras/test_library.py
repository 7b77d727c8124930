"""TensorFlow and Keras load quietly, with our backend, and nothing of the user's is touched."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.core.samples import environment

from bakeoff.core.errors import InputError

LOAD = "from bakeoff.training.keras.library import graph, keras, tf\n"
ANOTHER = """\
import os, sys
class Loud:
    def find_spec(self, name, path=None, target=None):
        if name == 'tensorflow':
            os.write(2, b'a warning of another library\\n')
sys.meta_path.insert(0, Loud())
"""
STEPS = """\
class Step:
    def __init__(self): self.call = graph(self.whole)
    def whole(self, x): return x + 1
for _ in range(30): Step().call(tf.ones(1))
tf.get_logger().warning('another matter')
"""


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_quiet_and_apart_from_the_users_settings(tmp_path: Path) -> None:
    """A user's `keras.json` that asks for torch and float64 changes nothing, nor is it written.

    What others write while it loads passes, and many steps are no reason to warn.
    """
    home = tmp_path / ".keras"
    home.mkdir()
    file = home / "keras.json"
    file.write_text('{"backend": "torch", "floatx": "float64"}', encoding="utf-8")
    told = (
        "print(keras.config.backend(), keras.config.floatx(), 'torch' in sys.modules,"
        " os.environ['KERAS_BACKEND'], os.environ.get('KERAS_HOME'))\n"
        "os.write(2, b'still heard\\n')\n"
    )
    program = ANOTHER + LOAD + told + STEPS
    done = run(program, HOME=str(tmp_path), KERAS_BACKEND="torch")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["tensorflow", "float32", "False", "torch", "None"]
    assert done.stderr.splitlines() == [
        "a warning of another library",
        "still heard",
        "WARNING:tensorflow:another matter",
    ]
    assert [path.name for path in home.iterdir()] == ["keras.json"]
    assert "float64" in file.read_text(encoding="utf-8")


def test_keras_on_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Keras that was loaded before, as far as it is asked."""
    for name in ("keras", "keras.config"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    keras, config = sys.modules["keras"], sys.modules["keras.config"]
    monkeypatch.setattr(keras, "config", config, raising=False)
    monkeypatch.setattr(config, "backend", lambda: "torch", raising=False)
    monkeypatch.delitem(sys.modules, "bakeoff.training.keras.library", raising=False)
    with pytest.raises(InputError, match="framework: keras is loaded with the backend torch"):
        importlib.import_module("bakeoff.training.keras.library")


def test_without_stderr_it_loads_too() -> None:
    program = "import os, sys; os.close(2); sys.stderr = None\n" + LOAD + "print(tf.__version__)"
    done = run(program)
    assert done.returncode == 0
    assert done.stdout.strip()
