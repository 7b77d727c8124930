"""Generated data sets: linear problems whose answer is known, for adaptive filters.

Each is drawn once from a fixed seed and rounded to six decimals, so that it has the same bits on
every machine; it needs no files. What a set's docstring states (weights, eigenvalues, noise) is
what a method should find.

Source: B. Widrow, S. Stearns 1985, "Adaptive signal processing", Prentice-Hall, chapters 6 (the
two-weight problem), 9 (system identification) and 12 (noise cancelling).
"""

from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bakeoff.core.examples import Examples
from bakeoff.core.streams import Streams
from bakeoff.data.dataset import Dataset, numbered
from bakeoff.data.sources import Entry

Floats = NDArray[np.float64]
DECIMALS = 6
BLOCK = 40
"""Samples of a signal that stay together, as errors that follow each other are alike."""

TWO_WEIGHTS = (1.5, -0.8)
TWO_EIGENVALUES = (4.5, 0.5)
TWO_NOISE_SD = 0.5
TWO_SIZES = (1000, 1000)

SYSTEM = (0.1, 0.35, 0.8, 1.0, 0.45, -0.3, -0.45, -0.15)
SYSTEM_POLE = 0.7
SYSTEM_NOISE_SD = 0.1
CANCELLING_PATH = (0.7, -0.45, 0.3, 0.25, -0.2, 0.12, -0.08, 0.05)
CANCELLING_POLE = 0.5
CANCELLING_TAPS = 12
FILTER_SIZES = (2400, 1600)


def load_two_inputs(_folder: Path) -> Dataset:
    """y = 1.5 x1 - 0.8 x2 + noise, from two correlated Gaussian inputs.

    The inputs' correlation matrix has the eigenvalues 4.5 along (1, 1) and 0.5 along (-1, 1), so
    both have variance 2.5 and correlation 0.8; the noise has SD 0.5, so no filter's expected
    squared error is below 0.25.
    """
    generator = Streams(0, "two-inputs").generator("draw")
    count = sum(TWO_SIZES)
    along = generator.standard_normal((count, 2)) * np.sqrt(TWO_EIGENVALUES)
    u, v = along[:, 0], along[:, 1]
    inputs = np.column_stack([(u - v) / np.sqrt(2), (u + v) / np.sqrt(2)]).round(DECIMALS)
    clean = TWO_WEIGHTS[0] * inputs[:, 0] + TWO_WEIGHTS[1] * inputs[:, 1]
    targets = clean + TWO_NOISE_SD * generator.standard_normal(count)
    whole = Examples(inputs, targets.round(DECIMALS), numbered(count))
    cut = TWO_SIZES[0]
    train, test = whole.take(np.arange(cut)), whole.take(np.arange(cut, count))
    columns = ("x1", "x2")
    return Dataset("two-inputs", "numbers", (), train, test, columns=columns, clean=clean[cut:])


def load_system_identification(_folder: Path) -> Dataset:
    """The output of an unknown FIR system of 8 taps, from the last 8 samples of its input.

    The input is first-order autoregressive noise (pole 0.7, variance 1), whose correlation matrix
    has far-apart eigenvalues; the output carries white noise of SD 0.1.
    """
    count = sum(FILTER_SIZES)
    generator = Streams(0, "system-identification").generator("draw")
    signal = _coloured(generator, count + len(SYSTEM) - 1, SYSTEM_POLE)
    inputs = delay_line(signal, len(SYSTEM))
    clean = _filtered(inputs, SYSTEM)
    observed = clean + SYSTEM_NOISE_SD * generator.standard_normal(count)
    return _signals("system-identification", inputs, observed, clean)


def load_noise_cancelling(_folder: Path) -> Dataset:
    """A signal in noise, to be predicted from a reference of the noise alone (12 taps).

    The signal is two tones whose loudness changes; the noise reaches it through an FIR path of 8
    taps from a source (autoregressive, pole 0.5) that the reference records. The signal cannot be
    told from the reference: what a filter leaves over is the signal.
    """
    count = sum(FILTER_SIZES)
    generator = Streams(0, "noise-cancelling").generator("draw")
    source = _coloured(generator, count + CANCELLING_TAPS - 1, CANCELLING_POLE)
    inputs = delay_line(source, CANCELLING_TAPS)
    time = np.arange(count)
    loudness = 0.6 + 0.4 * np.sin(2 * np.pi * time / 400)
    tones = np.sin(2 * np.pi * time / 32) + 0.5 * np.sin(2 * np.pi * time / 13)
    signal = 0.5 * loudness * tones
    observed = signal + _filtered(inputs, CANCELLING_PATH)
    return _signals("noise-cancelling", inputs, observed, signal)


def delay_line(signal: Floats, taps: int) -> Floats:
    """A tapped delay line: the newest `taps` samples at every moment, the newest first.

    Args:
        signal: (N + taps - 1,) samples in the order of time.
        taps: Its length.

    Returns:
        (N, taps) float64: row n holds signal[n + taps - 1], ..., signal[n].
    """
    return np.ascontiguousarray(sliding_window_view(signal, taps)[:, ::-1])


def _coloured(generator: np.random.Generator, count: int, pole: float) -> Floats:
    """First-order autoregressive noise of variance 1, (count,), rounded."""
    white = generator.standard_normal(count) * np.sqrt(1 - pole**2)
    out, last = np.empty(count), float(white[0] / np.sqrt(1 - pole**2))
    for i, value in enumerate(white.tolist()):
        last = pole * last + value
        out[i] = last
    return out.round(DECIMALS)


def _filtered(inputs: Floats, response: tuple[float, ...]) -> Floats:
    """What an FIR system makes of its delay line (N, at least its taps): (N,)."""
    out = np.zeros(len(inputs))
    for tap, weight in enumerate(response):
        out += weight * inputs[:, tap]
    return out


def _signals(name: str, inputs: Floats, observed: Floats, clean: Floats) -> Dataset:
    """A set in the order of time: first what trains, last what tests."""
    count, taps = inputs.shape
    whole = Examples(inputs, observed.round(DECIMALS), numbered(count), np.arange(count) // BLOCK)
    cut = FILTER_SIZES[0]
    return Dataset(
        name,
        "numbers",
        (),
        whole.take(np.arange(cut)),
        whole.take(np.arange(cut, count)),
        columns=tuple("x[n]" if tap == 0 else f"x[n-{tap}]" for tap in range(taps)),
        ordered=True,
        clean=clean[cut:],
    )


_CITATION = "Widrow, Stearns 1985, Adaptive signal processing, Prentice-Hall"
_HOMEPAGE = "https://isl.stanford.edu/~widrow/"

TWO_INPUTS = Entry(
    name="two-inputs",
    summary="generated: a linear problem, two correlated inputs, known weights, noise",
    modality="numbers",
    classes=(),
    shape=(2,),
    sizes=TWO_SIZES,
    licence="generated, free",
    citation=_CITATION,
    homepage=_HOMEPAGE,
    load=load_two_inputs,
    generated=True,
    hash="df3dd55d55a4b4ae54a7fdc0baebb370819d214c76b8def2370d9931bc1827ad",
)
SYSTEM_IDENTIFICATION = Entry(
    name="system-identification",
    summary="generated: a signal through an unknown FIR system, 8 taps, in time order",
    modality="numbers",
    classes=(),
    shape=(len(SYSTEM),),
    sizes=FILTER_SIZES,
    licence="generated, free",
    citation=_CITATION,
    homepage=_HOMEPAGE,
    load=load_system_identification,
    generated=True,
    hash="f93df3e49d2ca658af1b0474d7bcbc7e074dc26f6bd756e50142c3546223cdfc",
)
NOISE_CANCELLING = Entry(
    name="noise-cancelling",
    summary="generated: a signal in noise, and a reference of the noise, 12 taps",
    modality="numbers",
    classes=(),
    shape=(CANCELLING_TAPS,),
    sizes=FILTER_SIZES,
    licence="generated, free",
    citation=_CITATION,
    homepage=_HOMEPAGE,
    load=load_noise_cancelling,
    generated=True,
    hash="896662f659bc8a13e9a2c763002edab62ab5ebd2f0141b45b7fbc66f610cd453",
)
