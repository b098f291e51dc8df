"""The one environment in which notebooks run, whether they are built or tested.

The same arithmetic everywhere, no accelerator, no file of the user's own IPython, and no log lines
of TensorFlow's in the outputs (they would differ from one machine to another).
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "_build" / "kernel"
CONFIG = """\
c = get_config()
c.IPKernelApp.capture_fd_output = False
c.HistoryManager.enabled = False
"""


def environment(folder: Path = FOLDER) -> dict[str, str]:
    """Variables for a kernel's process; writes the configuration that one of them leads to."""
    config = folder / "profile_default" / "ipython_kernel_config.py"
    if not config.is_file() or config.read_text(encoding="utf-8") != CONFIG:
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(CONFIG, encoding="utf-8")
    return {
        "IPYTHONDIR": str(folder),
        "PYTHONHASHSEED": "0",
        "KERAS_BACKEND": "tensorflow",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
