"""TensorFlow and Keras load quietly, with our backend, and nothing of the user's is touched."""

import subprocess
import sys
from pathlib import Path

from tests.core.samples import environment

LOAD = "from bakeoff.training.keras.library import keras, tf\n"


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_quiet_and_apart_from_the_users_settings(tmp_path: Path) -> None:
    """A user's `keras.json` that asks for torch and float64 changes nothing, nor is it written."""
    home = tmp_path / ".keras"
    home.mkdir()
    file = home / "keras.json"
    file.write_text('{"backend": "torch", "floatx": "float64"}', encoding="utf-8")
    program = (
        LOAD + "import os, sys\n"
        "print(keras.config.backend(), keras.config.floatx(), 'torch' in sys.modules,"
        " os.environ['KERAS_BACKEND'], os.environ.get('KERAS_HOME'))\n"
        "os.write(2, b'still heard')"
    )
    done = run(program, HOME=str(tmp_path), KERAS_BACKEND="torch")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["tensorflow", "float32", "False", "torch", "None"]
    assert done.stderr == "still heard"
    assert [path.name for path in home.iterdir()] == ["keras.json"]
    assert "float64" in file.read_text(encoding="utf-8")


def test_what_others_write_while_it_loads_passes() -> None:
    program = (
        "import os, sys, types\n"
        "class Loud:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'tensorflow':\n"
        "            os.write(2, b'a warning of another library\\n')\n"
        "sys.meta_path.insert(0, Loud())\n"
    )
    done = run(program + LOAD)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "a warning of another library\n"


def test_keras_on_another_backend_is_refused() -> None:
    program = (
        "import os; os.environ['KERAS_BACKEND'] = 'torch'; os.environ['KERAS_HOME'] = os.devnull\n"
        "import keras\n"
        "from bakeoff.core.errors import InputError\n"
        "try:\n"
        "    import bakeoff.training.keras.library\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    done = run(program)
    assert done.returncode == 0, done.stderr
    assert "framework: keras is loaded with the backend torch" in done.stdout


def test_without_stderr_it_loads_too() -> None:
    program = "import os, sys; os.close(2); sys.stderr = None\n" + LOAD + "print(tf.__version__)"
    done = run(program)
    assert done.returncode == 0
    assert done.stdout.strip()


def test_many_steps_are_no_reason_to_warn() -> None:
    program = LOAD + (
        "from bakeoff.training.keras.library import graph\n"
        "class Step:\n"
        "    def __init__(self): self.call = graph(self.whole)\n"
        "    def whole(self, x): return x + 1\n"
        "for _ in range(30): Step().call(tf.ones(1))\n"
        "tf.get_logger().warning('another matter')"
    )
    done = run(program)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["WARNING:tensorflow:another matter"]
