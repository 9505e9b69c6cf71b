#ifndef DECODE_H
#define DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "draw.h"
#include "packed_linear.h"
#include "paged_attention.h"

/// RMSNorm, or LayerNorm where there is a bias; none where there is no weight.
typedef struct {
  const float *weight;
  const float *bias;
  float epsilon;
} plumb_norm;

/// One block: x + output(attention(norm x)), then x + down(activation(up(norm x))).
typedef struct {
  plumb_norm attention_norm;
  /// Over each head of queries and keys (Qwen3).
  plumb_norm query_norm, key_norm;
  plumb_packed query_key_value;
  plumb_packed output;
  plumb_norm feed_forward_norm;
  /// Gated: SwiGLU; otherwise GELU.
  plumb_packed up;
  plumb_packed down;
} plumb_decoder_layer;

/// A decoder whose weights are packed.
typedef struct {
  size_t layer_count;
  size_t width;
  size_t query_width, key_value_width, head_dimension;
  const plumb_decoder_layer *layers;
  /// [V, D], and learned positions [P, D] or null.
  const float *embedding;
  const float *position_embedding;
  plumb_norm final_norm;
  /// [V, D].
  plumb_packed head;
} plumb_decoder;

/// Tokens that go through the layers together, and the buffers they go through.
typedef struct {
  size_t rows;
  const int32_t *tokens;
  const int32_t *positions;
  /// For each row the pages of its sequence; those that hold its own position are written.
  float *const *const *pages;
  /// Tables of the rotation, [positions, hd / 2] each, or null where nothing is rotated.
  const float *cosines;
  const float *sines;
  /// Whether no two rows belong to one sequence.
  bool is_one_per_sequence;
  /// Which rows' logits are computed.
  size_t logit_rows;
  const int32_t *logit_row;
  /// [rows, D] three times, [rows, Q + 2 KV], [rows, inner width], [logit_rows, V].
  float *x, *normed, *attended, *query_key_value, *inner;
  float *logits;
  /// Draws to make from the logits; count may be 0.
  plumb_draws draws;
  /// For every thread room for scores of the longest row, and for what a draw needs.
  float *scratch;
  size_t scratch_stride;
} plumb_decoding_pass;

/// Floats of a page: keys and values of 16 tokens in all layers.
size_t plumb_page_size(const plumb_decoder *decoder);

/// Runs the layers, the logits and the draws, on all threads at once.
void plumb_decode(const plumb_decoder *decoder, const plumb_decoding_pass *pass);

#endif
