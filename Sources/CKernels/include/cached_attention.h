#ifndef CACHED_ATTENTION_H
#define CACHED_ATTENTION_H

/// Cached keys and values of one key-value head: keys [hd, stride] (transposed, so that scores of
/// neighbouring tokens are neighbours), values [count, hd].
typedef struct {
  const float *keys;
  const float *values;
  int count;
  int stride;
} plumb_cached_head;

/// Attention of one token: out = softmax(scale * q K^T) V over all tokens of all parts.
///
/// `query` and `out` are [group, hd]: the query heads that share the key-value head. `scores` is
/// room for as many floats as the parts hold tokens, at least 1.
void plumb_cached_attention(const float *query, int group, int head_dimension, float scale,
                            const plumb_cached_head *parts, int part_count, float *scores,
                            float *out);

/// The same in the plainest order, to test the other against.
void plumb_cached_attention_naive(const float *query, int group, int head_dimension,
                                      float scale, const plumb_cached_head *parts, int part_count,
                                      float *scores, float *out);

#endif
