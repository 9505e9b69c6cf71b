// Attention of one new token to the keys and values kept from before, which lie in pages.
#include "paged_attention.h"

#include "variants.h"

#define PAGE PLUMB_PAGE_TOKENS
#define MOST_HEADS 4
#define MOST_PAGES 4

/// The scores of `heads` queries in `pages_taken` pages; each register holds one page's scores.
BODY void scores_of_pages(int heads, int pages_taken, const float *restrict query,
                          size_t head_dimension, float scale, float *const *pages, size_t offset,
                          float *restrict scores, size_t stride) {
  STRICT
  lanes sums[MOST_PAGES][MOST_HEADS];
#pragma clang loop unroll(full)
  for (int p = 0; p < pages_taken; p++)
#pragma clang loop unroll(full)
    for (int h = 0; h < heads; h++) sums[p][h] = (lanes){0};
  for (size_t d = 0; d < head_dimension; d++)
#pragma clang loop unroll(full)
    for (int p = 0; p < pages_taken; p++) {
      const lanes keys = *(const lanes *)(pages[p] + offset + d * PAGE);
#pragma clang loop unroll(full)
      for (int h = 0; h < heads; h++) sums[p][h] += query[h * head_dimension + d] * keys;
    }
#pragma clang loop unroll(full)
  for (int p = 0; p < pages_taken; p++)
#pragma clang loop unroll(full)
    for (int h = 0; h < heads; h++) *(lanes *)(scores + h * stride + p * PAGE) = sums[p][h] * scale;
}

/// out[h] += weight[h][t] value[t] of one page, for `parts` registers of components from `first` on.
BODY void add_values(int heads, int parts, size_t tokens, const float *restrict weights,
                     size_t stride, const float *restrict values, size_t head_dimension,
                     lanes (*restrict sums)[MOST_PAGES]) {
  STRICT
  for (size_t t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int j = 0; j < parts; j++) {
      const lanes value = *(const lanes *)(values + t * head_dimension + j * LANES);
#pragma clang loop unroll(full)
      for (int h = 0; h < heads; h++) sums[h][j] += weights[h * stride + t] * value;
    }
}

BODY void values_of_pages(int heads, int parts, size_t first, const float *restrict weights,
                          size_t stride, float *const *pages, size_t offset, size_t count,
                          size_t head_dimension, const float *restrict factors,
                          float *restrict out) {
  lanes sums[MOST_HEADS][MOST_PAGES];
#pragma clang loop unroll(full)
  for (int h = 0; h < heads; h++)
#pragma clang loop unroll(full)
    for (int j = 0; j < parts; j++) sums[h][j] = (lanes){0};
  size_t t = 0;
  for (; t + PAGE <= count; t += PAGE)
    add_values(heads, parts, PAGE, weights + t, stride, pages[t / PAGE] + offset + first,
               head_dimension, sums);
  if (t < count)
    add_values(heads, parts, count - t, weights + t, stride, pages[t / PAGE] + offset + first,
               head_dimension, sums);
#pragma clang loop unroll(full)
  for (int h = 0; h < heads; h++)
#pragma clang loop unroll(full)
    for (int j = 0; j < parts; j++)
      *(lanes *)(out + h * head_dimension + first + j * LANES) = sums[h][j] * factors[h];
}

/// Scores become e^(score - largest); returns the reciprocal of their sum.
BODY float weights_of(float *restrict scores, size_t count) {
  RELAXED
  const float most = largest(scores, count);
  float sum = 0;
  for (size_t t = 0; t < count; t++) {
    const float weight = fast_exp(scores[t] - most);
    scores[t] = weight;
    sum += weight;
  }
  return 1 / sum;
}

/// `heads` (1 to 4) query heads that read the same keys together.
BODY void attend_together(int heads, const float *query, size_t head_dimension, float scale,
                          float *const *pages, size_t offset, size_t count, float *scores,
                          float *out) {
  const size_t page_count = (count + PAGE - 1) / PAGE, stride = page_count * PAGE;
  // Four to eight sums side by side hide the latency of an addition.
  const int together = heads == 1 ? 4 : 2;
  size_t p = 0;
  for (; p + (size_t)together <= page_count; p += (size_t)together)
    scores_of_pages(heads, together, query, head_dimension, scale, pages + p, offset,
                    scores + p * PAGE, stride);
  for (; p < page_count; p++)
    scores_of_pages(heads, 1, query, head_dimension, scale, pages + p, offset, scores + p * PAGE,
                    stride);
  float factors[MOST_HEADS];
  for (int h = 0; h < heads; h++) factors[h] = weights_of(scores + (size_t)h * stride, count);
  const size_t values = offset + head_dimension * PAGE;
  size_t d = 0;
  for (; d + 4 * LANES <= head_dimension; d += 4 * LANES)
    values_of_pages(heads, 4, d, scores, stride, pages, values, count, head_dimension, factors,
                    out);
  for (; d + 2 * LANES <= head_dimension; d += 2 * LANES)
    values_of_pages(heads, 2, d, scores, stride, pages, values, count, head_dimension, factors,
                    out);
  for (; d + LANES <= head_dimension; d += LANES)
    values_of_pages(heads, 1, d, scores, stride, pages, values, count, head_dimension, factors,
                    out);
  for (; d < head_dimension; d++)
    for (int h = 0; h < heads; h++) {
      float sum = 0;
      for (size_t t = 0; t < count; t++)
        sum += scores[(size_t)h * stride + t] *
               pages[t / PAGE][values + t % PAGE * head_dimension + d];
      out[(size_t)h * head_dimension + d] = sum * factors[h];
    }
}

BODY void paged_attention_body(const float *query, size_t group, size_t head_dimension,
                               float scale, float *const *pages, size_t offset, size_t count,
                               float *scores, float *out) {
  size_t head = 0;
  while (head < group) {
    const float *q = query + head * head_dimension;
    float *to = out + head * head_dimension;
    const size_t left = group - head;
    switch (left) {
      case 1:
        attend_together(1, q, head_dimension, scale, pages, offset, count, scores, to);
        return;
      case 2:
        attend_together(2, q, head_dimension, scale, pages, offset, count, scores, to);
        return;
      case 3:
        attend_together(3, q, head_dimension, scale, pages, offset, count, scores, to);
        return;
      default:
        attend_together(4, q, head_dimension, scale, pages, offset, count, scores, to);
        head += 4;
    }
  }
}

#define BODY_ARGUMENTS query, group, head_dimension, scale, pages, offset, count, scores, out

VARIANTS(void, paged_attention,
         (const float *query, size_t group, size_t head_dimension, float scale,
          float *const *pages, size_t offset, size_t count, float *scores, float *out),
         paged_attention_body(BODY_ARGUMENTS), paged_attention_body(BODY_ARGUMENTS),
         paged_attention_body(BODY_ARGUMENTS))

void plumb_paged_attention(const float *query, size_t group, size_t head_dimension, float scale,
                           float *const *pages, size_t offset, size_t count, float *scores,
                           float *out) {
  plumb_paged_attention_on(plumb_best_instructions(), BODY_ARGUMENTS);
}

void plumb_paged_attention_on(plumb_instructions set, const float *query, size_t group,
                              size_t head_dimension, float scale, float *const *pages,
                              size_t offset, size_t count, float *scores, float *out) {
  paged_attention_variants[set](BODY_ARGUMENTS);
}

void plumb_paged_attention_naive(const float *query, size_t group, size_t head_dimension,
                                 float scale, float *const *pages, size_t offset, size_t count,
                                 float *scores, float *out) {
  for (size_t h = 0; h < group; h++, query += head_dimension, out += head_dimension) {
    double most = -INFINITY, sum = 0;
    for (size_t t = 0; t < count; t++) {
      const float *keys = pages[t / PAGE] + offset;
      double score = 0;
      for (size_t d = 0; d < head_dimension; d++)
        score += (double)query[d] * keys[d * PAGE + t % PAGE];
      scores[t] = (float)(score * scale);
      if (scores[t] > most) most = scores[t];
    }
    for (size_t t = 0; t < count; t++) sum += exp(scores[t] - most);
    for (size_t d = 0; d < head_dimension; d++) {
      double total = 0;
      for (size_t t = 0; t < count; t++)
        total += exp(scores[t] - most) *
                 pages[t / PAGE][offset + (PAGE + t % PAGE) * head_dimension + d];
      out[d] = (float)(total / sum);
    }
  }
}
