#ifndef PAGED_ATTENTION_H
#define PAGED_ATTENTION_H

#include <stddef.h>

#include "instructions.h"

/// Tokens of one page of keys and values.
#define PLUMB_PAGE_TOKENS 16

/// Attention of one token to `count` tokens of one key-value head: out = softmax(scale q K^T) V.
///
/// Token t lies in pages[t / 16]. At `offset` in every page: keys [hd, 16], transposed so that the
/// scores of neighbours are neighbours, then values [16, hd]. What lies behind the last token of the
/// last page is read but has no effect. `query` and `out` are [group, hd]: the query heads that share
/// the key-value head. `scores` is room for group * count floats, count rounded up to 16.
void plumb_paged_attention(const float *query, size_t group, size_t head_dimension, float scale,
                           float *const *pages, size_t offset, size_t count, float *scores,
                           float *out);

/// The same on a chosen instruction set, which the machine must have.
void plumb_paged_attention_on(plumb_instructions set, const float *query, size_t group,
                              size_t head_dimension, float scale, float *const *pages,
                              size_t offset, size_t count, float *scores, float *out);

/// The same in the plainest order, to test the other against.
void plumb_paged_attention_naive(const float *query, size_t group, size_t head_dimension,
                                 float scale, float *const *pages, size_t offset, size_t count,
                                 float *scores, float *out);

#endif
