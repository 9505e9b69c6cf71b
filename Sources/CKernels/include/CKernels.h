#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode.h"
#include "sha256.h"

// Worker threads (threads.c) -------------------------------------------------------------------

/// Sets how many threads, the caller's included, `plumb_parallel` may use.
void plumb_set_thread_count(int count);

/// How many threads, the caller's included, `plumb_parallel` may use.
int plumb_thread_count(void);

/// Calls work(context, i) once for every i in 0..<chunks and returns when all are done.
///
/// Which thread runs a chunk is left open: work must depend on the index only. A nested call, and a
/// call while another thread holds the workers, runs its chunks in order on the caller's thread.
void plumb_parallel(int chunks, void (*work)(void *context, int chunk), void *context);

/// The pointer that the calling thread last kept with `plumb_set_thread_slot`, first null.
void *plumb_thread_slot(void);
void plumb_set_thread_slot(void *pointer);

/// How many calls of `plumb_parallel` were handed to the workers so far.
long plumb_region_count(void);
/// The chunk that the calling thread works on, -1 outside of `plumb_parallel`.
int plumb_current_chunk(void);

// Every kernel below has, where it computes more than a line, a plain twin `_naive` in the same file
// that tests hold it against. Buffers do not overlap unless a comment says so.

// Normalization of rows (norm.c): [rows, columns] ---------------------------------------------

/// y = w x / sqrt(mean(x^2) + epsilon); `scales` gets the reciprocal root per row.
void plumb_rmsnorm(size_t rows, size_t columns, const float *restrict x, const float *restrict
    weight, float epsilon, float *restrict y, float *restrict scales);

void plumb_rmsnorm_naive(size_t rows, size_t columns, const float *x, const float *weight, float
    epsilon, float *y, float *scales);

/// dx is written if `fresh` and added to otherwise, dweight is added to; each may be null.
void plumb_rmsnorm_backward(size_t rows, size_t columns, const float *restrict g, const float
    *restrict x, const float *restrict weight, const float *restrict scales, float *restrict dx,
    bool fresh, float *restrict dweight);

void plumb_rmsnorm_backward_naive(size_t rows, size_t columns, const float *g, const float *x,
    const float *weight, const float *scales, float *dx, bool fresh, float *dweight);

/// y = w (x - mean) / sqrt(variance + epsilon) + b; `means` and `scales` get what backward needs.
void plumb_layernorm(size_t rows, size_t columns, const float *restrict x, const float *restrict
    weight, const float *restrict bias, float epsilon, float *restrict y, float *restrict means,
    float *restrict scales);

void plumb_layernorm_naive(size_t rows, size_t columns, const float *x, const float *weight,
    const float *bias, float epsilon, float *y, float *means, float *scales);

/// dx is written if `fresh` and added to otherwise, the others are added to; each may be null.
void plumb_layernorm_backward(size_t rows, size_t columns, const float *restrict g, const float
    *restrict x, const float *restrict weight, const float *restrict means, const float
    *restrict scales, float *restrict dx, bool fresh, float *restrict dweight, float *restrict
    dbias);

void plumb_layernorm_backward_naive(size_t rows, size_t columns, const float *g, const float *x,
    const float *weight, const float *means, const float *scales, float *dx, bool fresh, float
    *dweight, float *dbias);

// Activations (activation.c) ------------------------------------------------------------------

/// y = silu(gate) up; x is [rows, 2 columns], gates first, y is [rows, columns].
void plumb_swiglu(size_t rows, size_t columns, const float *restrict x, float *restrict y);

void plumb_swiglu_naive(size_t rows, size_t columns, const float *x, float *y);

/// dx is written if `fresh` and added to otherwise.
void plumb_swiglu_backward(size_t rows, size_t columns, const float *restrict g, const float
    *restrict x, float *restrict dx, bool fresh);

void plumb_swiglu_backward_naive(size_t rows, size_t columns, const float *g, const float *x,
    float *dx, bool fresh);

/// The tanh form of GELU.
void plumb_gelu(size_t count, const float *restrict x, float *restrict y);

void plumb_gelu_naive(size_t count, const float *x, float *y);

/// dx is written if `fresh` and added to otherwise.
void plumb_gelu_backward(size_t count, const float *restrict g, const float *restrict x, float
    *restrict dx, bool fresh);

void plumb_gelu_backward_naive(size_t count, const float *g, const float *x, float *dx, bool
    fresh);

// Rotary position embedding (rotary.c) --------------------------------------------------------

/// x and y are [rows, heads * dimension], the tables [positions, dimension / 2]; direction is 1,
/// or -1 to turn back.
void plumb_rotary(size_t rows, size_t heads, size_t dimension, const float *restrict x, const
    int32_t *restrict positions, const float *restrict cosines, const float *restrict sines,
    float direction, bool fresh, float *restrict y);

/// Computes the angles itself.
void plumb_rotary_naive(size_t rows, size_t heads, size_t dimension, const float *x, const
    int32_t *positions, float base, float *y);

/// Turns the first `heads` heads of each row where they lie; rows lie `stride` apart.
void plumb_rotary_in_place(size_t rows, size_t heads, size_t dimension, const int32_t *restrict
    positions, const float *restrict cosines, const float *restrict sines, float direction,
    float *restrict x, size_t stride);

// Transposition (transpose.c) -------------------------------------------------------------------

/// y[j * y_stride + i] = x[i * x_stride + j] for i in 0..<rows and j in 0..<columns.
void plumb_transpose(size_t rows, size_t columns, const float *restrict x, size_t x_stride, float
    *restrict y, size_t y_stride);

void plumb_transpose_naive(size_t rows, size_t columns, const float *x, size_t x_stride, float *y,
    size_t y_stride);

// Rows of exponentials (softmax.c) ------------------------------------------------------------

/// Each row becomes e^x / sum(e^x); x and y may not overlap.
void plumb_softmax(size_t rows, size_t columns, const float *restrict x, float *restrict y);

void plumb_softmax_naive(size_t rows, size_t columns, const float *x, float *y);

/// From the result y: dx is written if `fresh` and added to otherwise.
void plumb_softmax_backward(size_t rows, size_t columns, const float *restrict g, const float
    *restrict y, float *restrict dx, bool fresh);

void plumb_softmax_backward_naive(size_t rows, size_t columns, const float *g, const float *y,
    float *dx, bool fresh);

/// Each row becomes x - log(sum(e^x)).
void plumb_log_softmax(size_t rows, size_t columns, const float *restrict x, float *restrict y);

void plumb_log_softmax_naive(size_t rows, size_t columns, const float *x, float *y);

/// From the result y: dx is written if `fresh` and added to otherwise.
void plumb_log_softmax_backward(size_t rows, size_t columns, const float *restrict g, const
    float *restrict y, float *restrict dx, bool fresh);

void plumb_log_softmax_backward_naive(size_t rows, size_t columns, const float *g, const float
    *y, float *dx, bool fresh);

/// Row r of a score tile keeps its first visible + r entries as e^(s - max), the others become 0.
/// `sums` gets the sum per row, logsumexps[r * stride] the logarithm of the sum of e^s.
void plumb_causal_exponentials(size_t rows, size_t width, size_t visible, float *restrict
    scores, float *restrict sums, float *restrict logsumexps, size_t stride);

void plumb_causal_exponentials_naive(size_t rows, size_t width, size_t visible, float *scores,
    float *sums, float *logsumexps, size_t stride);

/// Scores become probabilities, and gradients of probabilities those of unscaled scores.
void plumb_causal_backward(size_t rows, size_t width, size_t visible, float scale, const float
    *restrict logsumexps, size_t stride, const float *restrict deltas, float *restrict scores,
    float *restrict gradients);

void plumb_causal_backward_naive(size_t rows, size_t width, size_t visible, float scale, const
    float *logsumexps, size_t stride, const float *deltas, float *scores, float *gradients);

/// The dot product of each row of a with the same row of b; rows lie `stride` apart.
void plumb_row_dots(size_t rows, size_t columns, size_t stride, const float *restrict a, const
    float *restrict b, float *restrict dots);

void plumb_row_dots_naive(size_t rows, size_t columns, size_t stride, const float *a, const float
    *b, float *dots);

/// Divides each row by its divisor; rows lie `stride` apart.
void plumb_divide_rows(size_t rows, size_t columns, size_t stride, float *restrict x, const
    float *restrict divisors);

/// log softmax(logits)[target] per row; entropies, in nats, may be null.
void plumb_token_logprobs(size_t rows, size_t columns, const float *restrict logits, const
    int32_t *restrict targets, float *restrict logprobs, float *restrict logsumexps, float
    *restrict entropies);

void plumb_token_logprobs_naive(size_t rows, size_t columns, const float *logits, const int32_t
    *targets, float *logprobs, float *logsumexps, float *entropies);

/// In place: logits become their gradient, given that of the log-probabilities.
void plumb_token_logprobs_backward(size_t rows, size_t columns, float *restrict logits, const
    int32_t *restrict targets, const float *restrict logsumexps, const float *restrict g);

void plumb_token_logprobs_backward_naive(size_t rows, size_t columns, float *logits, const
    int32_t *targets, const float *logsumexps, const float *g);

/// The same, given also the gradient e of the entropies.
void plumb_token_entropy_backward(size_t rows, size_t columns, float *restrict logits, const
    int32_t *restrict targets, const float *restrict logsumexps, const float *restrict entropies,
    const float *restrict g, const float *restrict e);

void plumb_token_entropy_backward_naive(size_t rows, size_t columns, float *logits, const int32_t
    *targets, const float *logsumexps, const float *entropies, const float *g, const float *e);

// Small matrix products and sums (linear.c) ---------------------------------------------------

/// y = x w^T for few rows of x: x is [rows, inner], w [outer, inner]; rows of y lie y_stride apart.
void plumb_skinny_linear(size_t rows, size_t outer, size_t inner, const float *restrict x, const
    float *restrict w, float *restrict y, size_t y_stride);

void plumb_skinny_linear_naive(size_t rows, size_t outer, size_t inner, const float *x, const
    float *w, float *y, size_t y_stride);

/// Adds bias [columns] to every row of y.
void plumb_add_to_rows(size_t rows, size_t columns, const float *restrict bias, float *restrict
    y);

/// Adds every row of x to sums [columns]; rows lie `stride` apart.
void plumb_add_rows(size_t rows, size_t columns, size_t stride, const float *restrict x, float
    *restrict sums);

/// y += x.
void plumb_add(size_t count, const float *restrict x, float *restrict y);

// Flat blocks of parameters (adamw.c) ---------------------------------------------------------

/// One step; step_size = rate / (1 - beta1^t), correction2 = 1 / sqrt(1 - beta2^t),
/// decay_factor = 1 - rate * decay.
void plumb_adamw(size_t count, float *restrict w, const float *restrict g, float *restrict m,
    float *restrict v, float gradient_scale, float beta1, float beta2, float epsilon, float
    step_size, float correction2, float decay_factor);

void plumb_adamw_naive(size_t count, float *w, const float *g, float *m, float *v, float
    gradient_scale, float beta1, float beta2, float epsilon, float step_size, float correction2,
    float decay_factor);

/// x *= factor.
void plumb_scale(size_t count, float factor, float *restrict x);

/// In double precision.
double plumb_sum_of_squares(size_t count, const float *restrict x);

/// Whether no number is infinite or NaN.
bool plumb_all_finite(size_t count, const float *restrict x);

#endif
