// Matrix products too small for OpenBLAS, which packs its operands first, and sums over rows.
#include "kernel.h"

#define LANES 16

/// The dot products of up to four rows of x with four rows of w, lane by lane, so that the sum of a
/// row does not depend on how many rows are computed together.
BODY void block_of_dots(size_t x_rows, size_t w_rows, size_t inner, const float *restrict x,
                        const float *restrict w, float *restrict y, size_t y_stride) {
  RELAXED
  float sums[4][4][LANES];
  memset(sums, 0, sizeof sums);
  size_t k = 0;
  for (; k + LANES <= inner; k += LANES)
    for (size_t i = 0; i < x_rows; i++)
      for (size_t j = 0; j < w_rows; j++)
        for (int lane = 0; lane < LANES; lane++)
          sums[i][j][lane] += x[i * inner + k + lane] * w[j * inner + k + lane];
  for (size_t i = 0; i < x_rows; i++)
    for (size_t j = 0; j < w_rows; j++) {
      float total = 0;
      for (int lane = 0; lane < LANES; lane++) total += sums[i][j][lane];
      for (size_t rest = k; rest < inner; rest++) total += x[i * inner + rest] * w[j * inner + rest];
      y[i * y_stride + j] = total;
    }
}

BODY void skinny_rows(size_t x_rows, size_t outer, size_t inner, const float *restrict x,
                      const float *restrict w, float *restrict y, size_t y_stride) {
  size_t j = 0;
  for (; j + 4 <= outer; j += 4)
    block_of_dots(x_rows, 4, inner, x, w + j * inner, y + j, y_stride);
  for (; j < outer; j++) block_of_dots(x_rows, 1, inner, x, w + j * inner, y + j, y_stride);
}

CLONES void plumb_skinny_linear(size_t rows, size_t outer, size_t inner, const float *restrict x,
                                const float *restrict w, float *restrict y, size_t y_stride) {
  size_t i = 0;
  for (; i + 4 <= rows; i += 4)
    skinny_rows(4, outer, inner, x + i * inner, w, y + i * y_stride, y_stride);
  x += i * inner;
  y += i * y_stride;
  if (rows - i == 3) skinny_rows(3, outer, inner, x, w, y, y_stride);
  if (rows - i == 2) skinny_rows(2, outer, inner, x, w, y, y_stride);
  if (rows - i == 1) skinny_rows(1, outer, inner, x, w, y, y_stride);
}

void plumb_skinny_linear_naive(size_t rows, size_t outer, size_t inner, const float *x,
                               const float *w, float *y, size_t y_stride) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < outer; j++) {
      double total = 0;
      for (size_t k = 0; k < inner; k++) total += (double)x[i * inner + k] * w[j * inner + k];
      y[i * y_stride + j] = (float)total;
    }
}

CLONES void plumb_add_to_rows(size_t rows, size_t columns, const float *restrict bias,
                              float *restrict y) {
  for (size_t row = 0; row < rows; row++, y += columns)
    for (size_t i = 0; i < columns; i++) y[i] += bias[i];
}

CLONES void plumb_add_rows(size_t rows, size_t columns, size_t stride, const float *restrict x,
                           float *restrict sums) {
  for (size_t row = 0; row < rows; row++, x += stride)
    for (size_t i = 0; i < columns; i++) sums[i] += x[i];
}

CLONES void plumb_add(size_t count, const float *restrict x, float *restrict y) {
  for (size_t i = 0; i < count; i++) y[i] += x[i];
}
