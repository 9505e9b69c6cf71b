// Attention of one new token to the keys and values kept from before.
#include "kernel.h"

/// row[t] = scale times the dot product of the query with key t, four registers of keys at a time.
BODY void scores_of_part(const float *restrict query, int head_dimension, float scale,
                         plumb_cached_head part, float *restrict row) {
  RELAXED
  int t = 0;
  for (; t + 4 * LANES <= part.count; t += 4 * LANES) {
    lanes sums[4] = {{0}};
    for (int d = 0; d < head_dimension; d++) {
      const float *keys = part.keys + (long)d * part.stride + t;
      for (int i = 0; i < 4; i++) sums[i] += query[d] * *(const lanes *)(keys + i * LANES);
    }
    for (int i = 0; i < 4; i++) *(lanes *)(row + t + i * LANES) = sums[i] * scale;
  }
  for (; t + LANES <= part.count; t += LANES) {
    lanes sum = {0};
    for (int d = 0; d < head_dimension; d++)
      sum += query[d] * *(const lanes *)(part.keys + (long)d * part.stride + t);
    *(lanes *)(row + t) = sum * scale;
  }
  for (int rest = t; rest < part.count; rest++) row[rest] = 0;
  for (int d = 0; d < head_dimension; d++) {
    const float q = query[d] * scale;
    const float *restrict keys = part.keys + (long)d * part.stride;
    for (int rest = t; rest < part.count; rest++) row[rest] += q * keys[rest];
  }
}

/// out[d] += sum of weight[t] value[t][d], two registers of d and four tokens at a time.
BODY void add_values_of_part(const float *restrict weights, int head_dimension,
                             plumb_cached_head part, float *restrict out) {
  RELAXED
  int d = 0;
  for (; d + 2 * LANES <= head_dimension; d += 2 * LANES) {
    lanes sums[4][2] = {{{0}}};
    int t = 0;
    for (; t + 4 <= part.count; t += 4)
      for (int i = 0; i < 4; i++) {
        const float *value = part.values + (long)(t + i) * head_dimension + d;
        for (int j = 0; j < 2; j++)
          sums[i][j] += weights[t + i] * *(const lanes *)(value + j * LANES);
      }
    for (; t < part.count; t++)
      for (int j = 0; j < 2; j++)
        sums[0][j] +=
            weights[t] * *(const lanes *)(part.values + (long)t * head_dimension + d + j * LANES);
    for (int j = 0; j < 2; j++)
      *(lanes *)(out + d + j * LANES) += sums[0][j] + sums[1][j] + sums[2][j] + sums[3][j];
  }
  for (int t = 0; t < part.count; t++)
    for (int rest = d; rest < head_dimension; rest++)
      out[rest] += weights[t] * part.values[(long)t * head_dimension + rest];
}

BODY void attend(const float *query, int group, int head_dimension, float scale,
                 const plumb_cached_head *parts, int part_count, float *restrict scores,
                 float *restrict out) {
  RELAXED
  for (int g = 0; g < group; g++, query += head_dimension, out += head_dimension) {
    int total = 0;
    for (int i = 0; i < part_count; i++) {
      scores_of_part(query, head_dimension, scale, parts[i], scores + total);
      total += parts[i].count;
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
      add_values_of_part(weights, head_dimension, parts[i], out);
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
