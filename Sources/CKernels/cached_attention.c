#include "cached_attention.h"

#include <math.h>

#if defined(__x86_64__) && !__has_feature(thread_sanitizer)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

// exp(x) for x <= 0, relative error below 2e-7; what would be below 1e-37 comes out as about that.
// 2^n by the exponent's bits, exp on [-ln2/2, ln2/2] by Cephes' polynomial.
INLINE float exp_nonpositive(float x) {
#pragma clang fp contract(fast)
  x = x < -85.0f ? -85.0f : x;
  float n = __builtin_elementwise_floor(x * 1.44269504f + 0.5f);
  float r = x - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  union {
    int bits;
    float value;
  } power = {((int)n + 127) << 23};
  return (p * r * r + r + 1.0f) * power.value;
}

INLINE void attend(const float *query, int group, int head_dimension, float scale,
                   const plumb_cached_head *parts, int part_count, float *restrict scores,
                   float *restrict out) {
#pragma clang fp contract(fast) reassociate(on)
  for (int g = 0; g < group; g++, query += head_dimension, out += head_dimension) {
    int total = 0;
    for (int i = 0; i < part_count; i++) {
      const plumb_cached_head part = parts[i];
      float *restrict row = scores + total;
      for (int t = 0; t < part.count; t++) row[t] = 0;
      for (int d = 0; d < head_dimension; d++) {
        const float q = query[d] * scale;
        const float *restrict keys = part.keys + (long)d * part.stride;
        for (int t = 0; t < part.count; t++) row[t] += q * keys[t];
      }
      total += part.count;
    }
    float largest = scores[0];
    for (int t = 1; t < total; t++) largest = scores[t] > largest ? scores[t] : largest;
    float sum = 0;
    for (int t = 0; t < total; t++) {
      const float weight = exp_nonpositive(scores[t] - largest);
      scores[t] = weight;
      sum += weight;
    }
    for (int d = 0; d < head_dimension; d++) out[d] = 0;
    const float *weights = scores;
    for (int i = 0; i < part_count; i++) {
      for (int t = 0; t < parts[i].count; t++) {
        const float weight = weights[t];
        const float *restrict value = parts[i].values + (long)t * head_dimension;
        for (int d = 0; d < head_dimension; d++) out[d] += weight * value[d];
      }
      weights += parts[i].count;
    }
    const float inverse = 1.0f / sum;
    for (int d = 0; d < head_dimension; d++) out[d] *= inverse;
  }
}

CLONES void plumb_cached_attention(const float *query, int group, int head_dimension, float scale,
                                   const plumb_cached_head *parts, int part_count, float *scores,
                                   float *out) {
  attend(query, group, head_dimension, scale, parts, part_count, scores, out);
}

void plumb_cached_attention_naive(const float *query, int group, int head_dimension,
                                      float scale, const plumb_cached_head *parts, int part_count,
                                      float *scores, float *out) {
  for (int g = 0; g < group; g++) {
    const float *q = query + g * head_dimension;
    float *result = out + g * head_dimension;
    for (int d = 0; d < head_dimension; d++) result[d] = 0;
    float largest = -INFINITY, sum = 0;
    int at = 0;
    for (int i = 0; i < part_count; i++) {
      for (int t = 0; t < parts[i].count; t++, at++) {
        scores[at] = 0;
        for (int d = 0; d < head_dimension; d++)
          scores[at] += q[d] * parts[i].keys[(long)d * parts[i].stride + t];
        scores[at] *= scale;
        if (scores[at] > largest) largest = scores[at];
      }
    }
    at = 0;
    for (int i = 0; i < part_count; i++) {
      for (int t = 0; t < parts[i].count; t++, at++) {
        const float weight = expf(scores[at] - largest);
        sum += weight;
        for (int d = 0; d < head_dimension; d++)
          result[d] += weight * parts[i].values[(long)t * head_dimension + d];
      }
    }
    for (int d = 0; d < head_dimension; d++) result[d] /= sum;
  }
}
