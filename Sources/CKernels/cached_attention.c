// Attention of one new token to the keys and values kept from before.
#include "kernel.h"

BODY void attend(const float *query, int group, int head_dimension, float scale,
                 const plumb_cached_head *parts, int part_count, float *restrict scores,
                 float *restrict out) {
  RELAXED
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
    const float most = largest(scores, total);
    float sum = 0;
    for (int t = 0; t < total; t++) {
      const float weight = fast_exp(scores[t] - most);
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
    float most = -INFINITY, sum = 0;
    int at = 0;
    for (int i = 0; i < part_count; i++) {
      for (int t = 0; t < parts[i].count; t++, at++) {
        scores[at] = 0;
        for (int d = 0; d < head_dimension; d++)
          scores[at] += q[d] * parts[i].keys[(long)d * parts[i].stride + t];
        scores[at] *= scale;
        if (scores[at] > most) most = scores[at];
      }
    }
    at = 0;
    for (int i = 0; i < part_count; i++) {
      for (int t = 0; t < parts[i].count; t++, at++) {
        const float weight = expf(scores[at] - most);
        sum += weight;
        for (int d = 0; d < head_dimension; d++)
          result[d] += weight * parts[i].values[(long)t * head_dimension + d];
      }
    }
    for (int d = 0; d < head_dimension; d++) result[d] /= sum;
  }
}
