// Transposition: products whose left factor is long read their right factor along rows.
#include "kernel.h"

// Of two rows that are s apart in a square of lanes, the off-diagonal blocks of s change places:
// ABCD and EFGH become ABEF and CDGH where s is 2.
#define UPPER(s, l) ((l) & (s) ? LANES + (l) - (s) : (l))
#define LOWER(s, l) ((l) & (s) ? LANES + (l) : (l) + (s))
#define ALL(side, s)                                                                        \
  side(s, 0), side(s, 1), side(s, 2), side(s, 3), side(s, 4), side(s, 5), side(s, 6),       \
      side(s, 7), side(s, 8), side(s, 9), side(s, 10), side(s, 11), side(s, 12), side(s, 13), \
      side(s, 14), side(s, 15)
#define SWAP(s)                                                                \
  for (int i = 0; i < LANES; i++) {                                            \
    if (i & (s)) continue;                                                     \
    lanes upper = rows[i], lower = rows[i + (s)];                              \
    rows[i] = __builtin_shufflevector(upper, lower, ALL(UPPER, s));            \
    rows[i + (s)] = __builtin_shufflevector(upper, lower, ALL(LOWER, s));      \
  }

BODY void transpose_square(const float *restrict x, size_t x_stride, float *restrict y,
                           size_t y_stride) {
  lanes rows[LANES];
  for (int i = 0; i < LANES; i++) rows[i] = *(const lanes *)(x + i * x_stride);
  SWAP(8)
  SWAP(4)
  SWAP(2)
  SWAP(1)
  for (int i = 0; i < LANES; i++) *(lanes *)(y + i * y_stride) = rows[i];
}

CLONES void plumb_transpose(size_t rows, size_t columns, const float *restrict x, size_t x_stride,
                            float *restrict y, size_t y_stride) {
  for (size_t row = 0; row < rows; row += LANES)
    for (size_t column = 0; column < columns; column += LANES) {
      const float *from = x + row * x_stride + column;
      float *to = y + column * y_stride + row;
      if (row + LANES <= rows && column + LANES <= columns) {
        transpose_square(from, x_stride, to, y_stride);
        continue;
      }
      for (size_t i = 0; i < LANES && row + i < rows; i++)
        for (size_t j = 0; j < LANES && column + j < columns; j++)
          to[j * y_stride + i] = from[i * x_stride + j];
    }
}

void plumb_transpose_naive(size_t rows, size_t columns, const float *x, size_t x_stride, float *y,
                           size_t y_stride) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) y[j * y_stride + i] = x[i * x_stride + j];
}
