// Matrix products too small for OpenBLAS, which packs its operands first, and sums over rows.
#include "kernel.h"

/// The dot products of up to two rows of x with up to four rows of w, lane by lane, so that the sum
/// of a row does not depend on how many rows are computed together.
BODY void block_of_dots(size_t x_rows, size_t w_rows, size_t inner, const float *restrict x,
                        const float *restrict w, float *restrict y, size_t y_stride) {
  STRICT
  lanes sums[2][4] = {{{0}}};
  size_t k = 0;
  for (; k + LANES <= inner; k += LANES) {
#pragma clang loop unroll(full)
    for (size_t i = 0; i < x_rows; i++)
#pragma clang loop unroll(full)
      for (size_t j = 0; j < w_rows; j++)
        sums[i][j] += *(const lanes *)(x + i * inner + k) * *(const lanes *)(w + j * inner + k);
  }
  for (size_t i = 0; i < x_rows; i++)
    for (size_t j = 0; j < w_rows; j++) {
      float total = sum_of_lanes(&sums[i][j]);
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
  // Blocks of w stay in the first cache while all rows of x pass by.
  const size_t block = 64;
  for (size_t first = 0; first < outer; first += block) {
    size_t count = outer - first < block ? outer - first : block;
    const float *part = w + first * inner;
    size_t i = 0;
    for (; i + 2 <= rows; i += 2)
      skinny_rows(2, count, inner, x + i * inner, part, y + i * y_stride + first, y_stride);
    for (; i < rows; i++)
      skinny_rows(1, count, inner, x + i * inner, part, y + i * y_stride + first, y_stride);
  }
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
