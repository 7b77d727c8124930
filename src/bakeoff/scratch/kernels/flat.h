/* Optimisers' updates and ReLU's gradient: what `numpy_kernels` computes, in one pass over memory.

   In the widest vectors of the machine that runs them. Sums, products, quotients and square roots
   are rounded alike in all of them, as long as none are fused: the build forbids that. */

#include <math.h>
#include <stddef.h>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define BAKEOFF_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define BAKEOFF_VECTORS
#endif

#if defined(_MSC_VER)
#define BAKEOFF_ALONE __restrict
#else
#define BAKEOFF_ALONE restrict
#endif

typedef struct {
    double rate, l1, l2, shrink, first, second, deviation, epsilon;
} bakeoff_numbers;

/* `w` weights, `g` their gradients, `m` and `s` moments, null where a rule has none. A penalty that
   is not there adds nothing, not even a zero. */
#define BAKEOFF_RULE(rule, real, body) \
    BAKEOFF_VECTORS static void bakeoff_##rule##_##real( \
        real *BAKEOFF_ALONE w, const real *BAKEOFF_ALONE g, real *BAKEOFF_ALONE m, \
        real *BAKEOFF_ALONE s, const bakeoff_numbers *n, ptrdiff_t count) { \
        const real rate = (real)n->rate, l1 = (real)n->l1, l2 = (real)n->l2; \
        const real shrink = (real)n->shrink, first = (real)n->first, fresh = (real)(1 - n->first); \
        const real second = (real)n->second, newer = (real)(1 - n->second); \
        const real deviation = (real)n->deviation, epsilon = (real)n->epsilon; \
        (void)m, (void)s, (void)shrink, (void)first, (void)fresh; \
        (void)second, (void)newer, (void)deviation, (void)epsilon; \
        for (ptrdiff_t i = 0; i < count; i++) { \
            real gradient = g[i]; \
            if (l1 != 0) \
                gradient += (w[i] != w[i] ? w[i] : (real)((w[i] > 0) - (w[i] < 0))) * l1; \
            if (l2 != 0) \
                gradient += w[i] * l2; \
            body \
        } \
    }

#define BAKEOFF_UPDATE(real, root) \
    BAKEOFF_RULE(sgd, real, w[i] -= gradient * rate;) \
    BAKEOFF_RULE(momentum, real, m[i] = m[i] * first + gradient; w[i] -= m[i] * rate;) \
    BAKEOFF_RULE(nesterov, real, m[i] = m[i] * first + gradient; \
        w[i] -= (m[i] * first + gradient) * rate;) \
    BAKEOFF_RULE(rmsprop, real, s[i] = s[i] * second + gradient * gradient * newer; \
        w[i] -= gradient / (root(s[i]) + epsilon) * rate;) \
    BAKEOFF_RULE(adam, real, m[i] += (gradient - m[i]) * fresh; \
        s[i] = s[i] * second + gradient * gradient * newer; \
        w[i] = w[i] * shrink - m[i] / (root(s[i]) / deviation + epsilon) * rate;) \
    static void bakeoff_update_##real( \
        int rule, real *w, const real *g, real *m, real *s, const bakeoff_numbers *n, \
        ptrdiff_t count) { \
        switch (rule) { \
        case 0: bakeoff_sgd_##real(w, g, m, s, n, count); break; \
        case 1: bakeoff_momentum_##real(w, g, m, s, n, count); break; \
        case 2: bakeoff_nesterov_##real(w, g, m, s, n, count); break; \
        case 3: bakeoff_rmsprop_##real(w, g, m, s, n, count); break; \
        case 4: bakeoff_adam_##real(w, g, m, s, n, count); break; \
        } \
    }

#define BAKEOFF_RELU_BACKWARD(real) \
    BAKEOFF_VECTORS static void bakeoff_relu_backward_##real( \
        const real *upstream, const real *outputs, real *BAKEOFF_ALONE out, ptrdiff_t count) { \
        for (ptrdiff_t i = 0; i < count; i++) \
            out[i] = upstream[i] * (real)(outputs[i] > 0); \
    }

BAKEOFF_RELU_BACKWARD(float)
BAKEOFF_RELU_BACKWARD(double)
BAKEOFF_UPDATE(float, sqrtf)
BAKEOFF_UPDATE(double, sqrt)
