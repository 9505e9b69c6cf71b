#ifndef DRAW_H
#define DRAW_H

#include <stddef.h>
#include <stdint.h>

#include "instructions.h"

/// How tokens are drawn from logits; the meaning and the order of the filters is transformers'.
typedef struct {
  /// 0 takes the first of the largest logits.
  float temperature;
  /// 0 for off.
  size_t top_k;
  /// 1 for off.
  float top_p;
  /// 0 for off.
  float min_p;
  /// Applied to tokens in `seen`; 1 for off.
  float repetition_penalty;
} plumb_draw_options;

/// Tokens to draw, each from one row of logits.
typedef struct {
  size_t count;
  plumb_draw_options options;
  /// [rows, V], and the row of each draw.
  const float *logits;
  const int32_t *rows;
  /// A number in [0, 1) for each draw.
  const double *uniforms;
  /// For each draw a bit per token of the vocabulary; read where there is a repetition penalty.
  const uint64_t *const *seen;
  /// The results: a token, or -1 if the logits hold a NaN or give no distribution, and its
  /// log-probability under the logits divided by the temperature, before any filter.
  int32_t *tokens;
  float *logprobs;
} plumb_draws;

/// Floats of scratch that a draw from a vocabulary needs.
size_t plumb_draw_scratch(size_t vocabulary);

/// Draws one token; see `plumb_draws`.
int32_t plumb_draw(const float *logits, size_t vocabulary, const plumb_draw_options *options,
                   double uniform, const uint64_t *seen, float *scratch, float *logprob);

/// The same on a chosen instruction set, which the machine must have.
int32_t plumb_draw_on(plumb_instructions set, const float *logits, size_t vocabulary,
                      const plumb_draw_options *options, double uniform, const uint64_t *seen,
                      float *scratch, float *logprob);

#endif
