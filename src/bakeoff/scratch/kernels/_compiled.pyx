# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The kernels in C: what `numpy_kernels` computes, sums in the same order, rows spread over threads.

Shapes are not checked here: `bakeoff.scratch.kernels` has done that.
"""

from cython.parallel cimport prange
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define BAKEOFF_OPENMP 1
    #else
    #define BAKEOFF_OPENMP 0
    #define omp_get_max_threads() 1
    #endif

    /* Where a pixel is greater than the best, or the first not-a-number, it is the best. With masks
       and not with branches, which processors would guess wrong half of the time; C and not Cython,
       whose temporaries keep compilers from using vectors. */
    #define BAKEOFF_BEAT(name, real) \
    static void name(const real *pixel, real *best, unsigned *winner, unsigned tap, \
                     Py_ssize_t count) { \
        for (Py_ssize_t c = 0; c < count; c++) { \
            real newer = pixel[c], old = best[c]; \
            unsigned keep = -(unsigned)((newer <= old) | (old != old)); \
            winner[c] = (winner[c] & keep) | (tap & ~keep); \
            best[c] = keep ? old : newer; \
        } \
    }
    BAKEOFF_BEAT(bakeoff_beat_float, float)
    BAKEOFF_BEAT(bakeoff_beat_double, double)
    """
    const int BAKEOFF_OPENMP
    int omp_get_max_threads() noexcept nogil
    void beat_float "bakeoff_beat_float" (
        const float* pixel, float* best, unsigned int* winner, unsigned int tap, Py_ssize_t count
    ) noexcept nogil
    void beat_double "bakeoff_beat_double" (
        const double* pixel, double* best, unsigned int* winner, unsigned int tap, Py_ssize_t count
    ) noexcept nogil

ctypedef unsigned int tap_t

ctypedef fused real:
    float
    double

cdef struct Geometry:
    Py_ssize_t height, width, channels, rows, columns
    Py_ssize_t down, right  # the kernel
    Py_ssize_t step_down, step_right  # the stride
    Py_ssize_t above, left  # the padding

OPENMP = bool(BAKEOFF_OPENMP)
cdef int threads = omp_get_max_threads()


def use_threads(int number):
    """Spread the work over this many threads from now on."""
    global threads
    threads = number if OPENMP else 1


cdef Geometry geometry(window, Py_ssize_t height, Py_ssize_t width, Py_ssize_t channels):
    cdef Geometry g
    g.height, g.width, g.channels = height, width, channels
    g.rows, g.columns = window.output(height, width)
    g.down, g.right = window.kernel
    g.step_down, g.step_right = window.stride
    g.above, g.left = window.padding
    return g


cdef inline void seen(
    Py_ssize_t start, Py_ssize_t kernel, Py_ssize_t size, Py_ssize_t* first, Py_ssize_t* last
) noexcept nogil:
    """Which elements of a kernel that starts at `start` see a pixel: first <= k < last."""
    first[0] = -start if start < 0 else 0
    last[0] = size - start if start + kernel > size else kernel


cdef inline void add(real* to, const real* what, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(count):
        to[j] += what[j]


def im2col(const real[:, :, :, ::1] images, window, real[:, ::1] out):
    cdef Geometry g = geometry(window, images.shape[1], images.shape[2], images.shape[3])
    cdef Py_ssize_t line, lines = images.shape[0] * g.rows
    if out.shape[0] == 0:
        return
    cdef const real* pixels = &images[0, 0, 0, 0]
    cdef real* places = &out[0, 0]
    for line in prange(lines, nogil=True, schedule="static", num_threads=threads):
        unroll(pixels, places, line, g)


cdef void unroll(const real* images, real* out, Py_ssize_t line, Geometry g) noexcept nogil:
    """The windows of one row of outputs; `line` counts rows over all images."""
    cdef Py_ssize_t top = (line % g.rows) * g.step_down - g.above
    cdef Py_ssize_t run = g.right * g.channels, place, left, first, last, i
    cdef const real* image = images + line // g.rows * g.height * g.width * g.channels
    cdef real* to = out + line * g.columns * g.down * run
    for place in range(g.columns):
        left = place * g.step_right - g.left
        seen(left, g.right, g.width, &first, &last)
        for i in range(g.down):
            if top + i < 0 or top + i >= g.height:
                memset(to, 0, run * sizeof(real))
            else:
                if first > 0:
                    memset(to, 0, first * g.channels * sizeof(real))
                memcpy(
                    to + first * g.channels,
                    image + ((top + i) * g.width + left + first) * g.channels,
                    (last - first) * g.channels * sizeof(real),
                )
                if last < g.right:
                    memset(
                        to + last * g.channels, 0, (g.right - last) * g.channels * sizeof(real)
                    )
            to += run


def col2im(const real[:, ::1] columns, window, real[:, :, :, ::1] out):
    cdef Geometry g = geometry(window, out.shape[1], out.shape[2], out.shape[3])
    cdef Py_ssize_t line, lines = out.shape[0] * g.height
    if columns.shape[0] == 0:
        return
    cdef const real* places = &columns[0, 0]
    cdef real* pixels = &out[0, 0, 0, 0]
    for line in prange(lines, nogil=True, schedule="static", num_threads=threads):
        roll(places, pixels, line, g)


cdef void roll(const real* columns, real* out, Py_ssize_t line, Geometry g) noexcept nogil:
    """The sums of one row of pixels; `line` counts rows over all images.

    Windows go from right to left: a pixel then meets the kernel's elements from left to right.
    """
    cdef Py_ssize_t row = line % g.height, run = g.right * g.channels
    cdef Py_ssize_t i, above, place, left, first, last
    cdef const real* image = columns + line // g.height * g.rows * g.columns * g.down * run
    cdef const real* what
    cdef real* to = out + line * g.width * g.channels
    memset(to, 0, g.width * g.channels * sizeof(real))
    for i in range(g.down):
        above = row + g.above - i
        if above < 0 or above % g.step_down != 0 or above // g.step_down >= g.rows:
            continue
        what = image + above // g.step_down * g.columns * g.down * run + i * run
        for place in range(g.columns - 1, -1, -1):
            left = place * g.step_right - g.left
            seen(left, g.right, g.width, &first, &last)
            add(
                to + (left + first) * g.channels,
                what + place * g.down * run + first * g.channels,
                (last - first) * g.channels,
            )


def max_pool(
    const real[:, :, :, ::1] images, window, real[:, :, :, ::1] out, tap_t[:, :, :, ::1] winners
):
    cdef Geometry g = geometry(window, images.shape[1], images.shape[2], images.shape[3])
    cdef Py_ssize_t line, lines = images.shape[0] * g.rows
    if lines * g.channels == 0:
        return
    cdef const real* pixels = &images[0, 0, 0, 0]
    cdef real* best = &out[0, 0, 0, 0]
    cdef tap_t* winner = &winners[0, 0, 0, 0]
    for line in prange(lines, nogil=True, schedule="static", num_threads=threads):
        greatest(pixels, best, winner, line, g)


cdef void greatest(
    const real* images, real* out, tap_t* winners, Py_ssize_t line, Geometry g
) noexcept nogil:
    """One row of outputs; `line` counts rows over all images."""
    cdef Py_ssize_t top = (line % g.rows) * g.step_down - g.above
    cdef Py_ssize_t place, left, top_first, top_last, left_first, left_last, i, j, c
    cdef const real* image = images + line // g.rows * g.height * g.width * g.channels
    cdef const real* pixel
    cdef real* best
    cdef tap_t* winner
    cdef tap_t tap
    seen(top, g.down, g.height, &top_first, &top_last)
    for place in range(g.columns):
        left = place * g.step_right - g.left
        seen(left, g.right, g.width, &left_first, &left_last)
        best = out + (line * g.columns + place) * g.channels
        winner = winners + (line * g.columns + place) * g.channels
        tap = <tap_t>(top_first * g.right + left_first)
        pixel = image + ((top + top_first) * g.width + left + left_first) * g.channels
        for c in range(g.channels):
            best[c] = pixel[c]
            winner[c] = tap
        for i in range(top_first, top_last):
            for j in range(left_first, left_last):
                tap = <tap_t>(i * g.right + j)
                pixel = image + ((top + i) * g.width + left + j) * g.channels
                if real is float:
                    beat_float(pixel, best, winner, tap, g.channels)
                else:
                    beat_double(pixel, best, winner, tap, g.channels)


def max_pool_backward(
    const real[:, :, :, ::1] upstream,
    const tap_t[:, :, :, ::1] winners,
    window,
    real[:, :, :, ::1] out,
):
    cdef Geometry g = geometry(window, out.shape[1], out.shape[2], out.shape[3])
    cdef Py_ssize_t line, lines = out.shape[0] * g.height
    if lines * g.channels == 0:
        return
    cdef const real* gradient = &upstream[0, 0, 0, 0]
    cdef const tap_t* winner = &winners[0, 0, 0, 0]
    cdef real* pixels = &out[0, 0, 0, 0]
    for line in prange(lines, nogil=True, schedule="static", num_threads=threads):
        won(gradient, winner, pixels, line, g)


cdef inline void add_won(
    real* to, const real* what, const tap_t* winner, tap_t tap, Py_ssize_t count
) noexcept nogil:
    cdef Py_ssize_t c
    cdef real share
    for c in range(count):
        share = what[c]
        to[c] += share if winner[c] == tap else <real>0


cdef void won(
    const real* upstream, const tap_t* winners, real* out, Py_ssize_t line, Geometry g
) noexcept nogil:
    """The sums of one row of pixels; `line` counts rows over all images."""
    cdef Py_ssize_t row = line % g.height, i, j, above, place, left, first, last, at, c
    cdef tap_t tap
    cdef real* to = out + line * g.width * g.channels
    cdef real* pixel
    memset(to, 0, g.width * g.channels * sizeof(real))
    for i in range(g.down):
        above = row + g.above - i
        if above < 0 or above % g.step_down != 0 or above // g.step_down >= g.rows:
            continue
        for place in range(g.columns - 1, -1, -1):
            at = (line // g.height * g.rows + above // g.step_down) * g.columns + place
            left = place * g.step_right - g.left
            seen(left, g.right, g.width, &first, &last)
            for j in range(first, last):
                tap = <tap_t>(i * g.right + j)
                pixel = to + (left + j) * g.channels
                add_won(
                    pixel, upstream + at * g.channels, winners + at * g.channels, tap, g.channels
                )


def average_pool(const real[:, :, :, ::1] images, window, real[:, :, :, ::1] out):
    cdef Geometry g = geometry(window, images.shape[1], images.shape[2], images.shape[3])
    cdef Py_ssize_t line, lines = images.shape[0] * g.rows
    if lines * g.channels == 0:
        return
    cdef const real* pixels = &images[0, 0, 0, 0]
    cdef real* means = &out[0, 0, 0, 0]
    for line in prange(lines, nogil=True, schedule="static", num_threads=threads):
        mean(pixels, means, line, g)


cdef void mean(const real* images, real* out, Py_ssize_t line, Geometry g) noexcept nogil:
    """One row of outputs; `line` counts rows over all images."""
    cdef Py_ssize_t top = (line % g.rows) * g.step_down - g.above
    cdef Py_ssize_t place, left, top_first, top_last, left_first, left_last, i, j, c
    cdef const real* image = images + line // g.rows * g.height * g.width * g.channels
    cdef real* to
    cdef real area = <real>(g.down * g.right)
    seen(top, g.down, g.height, &top_first, &top_last)
    for place in range(g.columns):
        left = place * g.step_right - g.left
        seen(left, g.right, g.width, &left_first, &left_last)
        to = out + (line * g.columns + place) * g.channels
        memset(to, 0, g.channels * sizeof(real))
        for i in range(top_first, top_last):
            for j in range(left_first, left_last):
                add(to, image + ((top + i) * g.width + left + j) * g.channels, g.channels)
        for c in range(g.channels):
            to[c] /= area


def average_pool_backward(const real[:, :, :, ::1] upstream, window, real[:, :, :, ::1] out):
    cdef Geometry g = geometry(window, out.shape[1], out.shape[2], out.shape[3])
    cdef Py_ssize_t line, lines = out.shape[0] * g.height
    if lines * g.channels == 0:
        return
    cdef const real* gradient = &upstream[0, 0, 0, 0]
    cdef real* pixels = &out[0, 0, 0, 0]
    for line in prange(lines, nogil=True, schedule="static", num_threads=threads):
        share(gradient, pixels, line, g)


cdef void share(const real* upstream, real* out, Py_ssize_t line, Geometry g) noexcept nogil:
    """The sums of one row of pixels; `line` counts rows over all images."""
    cdef Py_ssize_t row = line % g.height, i, j, above, place, left, first, last, at, c
    cdef real area = <real>(g.down * g.right)
    cdef real* to = out + line * g.width * g.channels
    cdef real* pixel
    memset(to, 0, g.width * g.channels * sizeof(real))
    for i in range(g.down):
        above = row + g.above - i
        if above < 0 or above % g.step_down != 0 or above // g.step_down >= g.rows:
            continue
        for place in range(g.columns - 1, -1, -1):
            at = (line // g.height * g.rows + above // g.step_down) * g.columns + place
            left = place * g.step_right - g.left
            seen(left, g.right, g.width, &first, &last)
            for j in range(first, last):
                pixel = to + (left + j) * g.channels
                for c in range(g.channels):
                    pixel[c] += upstream[at * g.channels + c] / area


cdef extern from "flat.h":
    void relu_backward_float "bakeoff_relu_backward_float" (
        const float* upstream, const float* outputs, float* out, Py_ssize_t count
    ) noexcept nogil
    void relu_backward_double "bakeoff_relu_backward_double" (
        const double* upstream, const double* outputs, double* out, Py_ssize_t count
    ) noexcept nogil
    ctypedef struct Numbers "bakeoff_numbers":
        double rate, l1, l2, shrink, first, second, deviation, epsilon
    void update_float "bakeoff_update_float" (
        int rule, float* w, const float* g, float* m, float* s, const Numbers* n, Py_ssize_t count
    ) noexcept nogil
    void update_double "bakeoff_update_double" (
        int rule, double* w, const double* g, double* m, double* s, const Numbers* n,
        Py_ssize_t count
    ) noexcept nogil


def relu_backward(const real[::1] upstream, const real[::1] outputs, real[::1] out):
    cdef Py_ssize_t size = out.shape[0]
    if size == 0:
        return
    with nogil:
        if real is float:
            relu_backward_float(&upstream[0], &outputs[0], &out[0], size)
        else:
            relu_backward_double(&upstream[0], &outputs[0], &out[0], size)


RULES = {"sgd": 0, "momentum": 1, "nesterov": 2, "rmsprop": 3, "adam": 4}


def update(
    rule, real[::1] values, const real[::1] gradient, real[::1] mean, real[::1] square, numbers
):
    """On one thread: memory is what it waits for, and a second thread would wait with it."""
    cdef Numbers n
    n.rate, n.l1, n.l2, n.shrink, n.first, n.second, n.deviation, n.epsilon = numbers
    cdef int number = RULES[rule]
    cdef Py_ssize_t size = values.shape[0]
    if size == 0:
        return
    cdef real* w = &values[0]
    cdef const real* g = &gradient[0]
    cdef real* m = &mean[0] if mean is not None else NULL
    cdef real* s = &square[0] if square is not None else NULL
    with nogil:
        if real is float:
            update_float(number, w, g, m, s, &n, size)
        else:
            update_double(number, w, g, m, s, &n, size)
