// Products with weights that were packed once: y = x w^T for one to a few hundred rows of x.
//
// A panel holds 64 outputs, [inner, 64]: one pass along k reads it as one stream, and each row of x
// adds a broadcast scalar times four registers. Every output is one sum in order of k, whatever the
// number of rows, so a row's result never depends on its neighbours or on the division of work.
#include "variants.h"

#include "packed_linear.h"

#define PANEL PLUMB_PANEL
#define PARTS (PANEL / LANES)
#define TILE_ROWS 6

size_t plumb_panel_count(size_t outer, bool is_gated) {
  const size_t columns = is_gated ? PANEL / 2 : PANEL;
  return (outer + columns - 1) / columns;
}

/// The row of the weight that is packed at a place, or -1 for padding.
static ptrdiff_t source_row(size_t outer, bool is_gated, size_t place) {
  const size_t half = PANEL / 2;
  if (!is_gated) return place < outer ? (ptrdiff_t)place : -1;
  const size_t column = place / PANEL * half + place % half;
  if (column >= outer) return -1;
  return (ptrdiff_t)(place % PANEL < half ? column : outer + column);
}

void plumb_pack_panels(size_t outer, size_t inner, bool is_gated, const float *w,
                       size_t outer_stride, size_t inner_stride, size_t first, size_t count,
                       float *panels) {
  // Sixteen steps of k at a time: a cache line of each of the 64 rows.
  const size_t block = 16;
  for (size_t panel = first; panel < first + count; panel++) {
    float *restrict out = panels + panel * inner * PANEL;
    for (size_t start = 0; start < inner; start += block) {
      const size_t end = start + block < inner ? start + block : inner;
      for (size_t column = 0; column < PANEL; column++) {
        const ptrdiff_t row = source_row(outer, is_gated, panel * PANEL + column);
        for (size_t k = start; k < end; k++)
          out[k * PANEL + column] = row < 0 ? 0 : w[(size_t)row * outer_stride + k * inner_stride];
      }
    }
  }
}

/// tile = the products of `rows` rows with one panel, `width` registers of it at a time.
BODY void tile_of_products(int rows, int width, size_t inner, const float *restrict x,
                           size_t x_stride, const float *restrict panel,
                           float (*restrict tile)[PANEL]) {
  STRICT
  for (int part = 0; part < PARTS; part += width) {
    lanes sums[TILE_ROWS][PARTS];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
      for (int j = 0; j < width; j++) sums[i][j] = (lanes){0};
    const float *restrict w = panel + part * LANES;
    for (size_t k = 0; k < inner; k++, w += PANEL)
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < width; j++)
          sums[i][j] += x[i * x_stride + k] * *(const lanes *)(w + j * LANES);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
      for (int j = 0; j < width; j++) *(lanes *)(tile[i] + (part + j) * LANES) = sums[i][j];
  }
}

/// Writes one row of a tile to `columns` places of y.
BODY void finish_row(const float *restrict tile, const float *restrict bias, plumb_finish finish,
                     size_t columns, float *restrict y) {
  STRICT
  float sums[PANEL];
  for (int i = 0; i < PANEL; i++) sums[i] = bias ? tile[i] + bias[i] : tile[i];
  if (finish == PLUMB_SWIGLU)
    for (int i = 0; i < PANEL / 2; i++)
      sums[i] = sums[i] / (1 + fast_exp(-sums[i])) * sums[PANEL / 2 + i];
  if (finish == PLUMB_GELU)
    for (int i = 0; i < PANEL; i++) sums[i] = gelu_of(sums[i]);
  if (finish == PLUMB_ADD)
    for (size_t i = 0; i < columns; i++) y[i] += sums[i];
  else if (columns == PANEL)
    memcpy(y, sums, PANEL * sizeof(float));
  else
    memcpy(y, sums, columns * sizeof(float));
}

// At most `most` rows make a tile; so many registers of the panel go with one row, with two and with
// more at a time, that the sums fit the registers of the set.
BODY void packed_linear_body(int most, int one, int two, int more, size_t rows, const float *x,
                             size_t x_stride, const plumb_packed *w, size_t first, size_t count,
                             plumb_finish finish, float *y, size_t y_stride) {
  const size_t inner = w->inner, width = finish == PLUMB_SWIGLU ? PANEL / 2 : PANEL;
  const size_t blocks = (rows + (size_t)most - 1) / (size_t)most;
  for (size_t panel = first; panel < first + count; panel++) {
    const float *weights = w->panels + panel * inner * PANEL;
    const float *bias = w->bias ? w->bias + panel * PANEL : NULL;
    const size_t rest = w->outer - panel * width, columns = rest < width ? rest : width;
    size_t row = 0;
    for (size_t block = 1; block <= blocks; block++) {
      // Blocks as equal as can be: 6 rows are 3 and 3, not 4 and 2.
      const int taken = (int)(rows * block / blocks - row);
      const float *part = x + row * x_stride;
      float tile[TILE_ROWS][PANEL];
      if (taken == 1)
        tile_of_products(1, one, inner, part, x_stride, weights, tile);
      else if (taken == 2)
        tile_of_products(2, two, inner, part, x_stride, weights, tile);
      else if (most > 2 && taken == 3)
        tile_of_products(3, more, inner, part, x_stride, weights, tile);
      else if (most > 2 && taken == 4)
        tile_of_products(4, more, inner, part, x_stride, weights, tile);
      else if (most > 4 && taken == 5)
        tile_of_products(5, more, inner, part, x_stride, weights, tile);
      else if (most > 4 && taken == 6)
        tile_of_products(6, more, inner, part, x_stride, weights, tile);
      for (int i = 0; i < taken; i++, row++)
        finish_row(tile[i], bias, finish, columns, y + row * y_stride + panel * width);
    }
  }
}

VARIANTS(void, packed_linear,
         (size_t rows, const float *x, size_t x_stride, const plumb_packed *w, size_t first,
          size_t count, plumb_finish finish, float *y, size_t y_stride),
         packed_linear_body(6, 4, 4, 4, rows, x, x_stride, w, first, count, finish, y, y_stride),
         packed_linear_body(4, 4, 2, 1, rows, x, x_stride, w, first, count, finish, y, y_stride),
         packed_linear_body(2, 2, 1, 1, rows, x, x_stride, w, first, count, finish, y, y_stride))

void plumb_packed_linear(size_t rows, const float *x, size_t x_stride, const plumb_packed *w,
                         size_t first, size_t count, plumb_finish finish, float *y,
                         size_t y_stride) {
  plumb_packed_linear_on(plumb_best_instructions(), rows, x, x_stride, w, first, count, finish, y,
                         y_stride);
}

void plumb_packed_linear_on(plumb_instructions set, size_t rows, const float *x, size_t x_stride,
                            const plumb_packed *w, size_t first, size_t count,
                            plumb_finish finish, float *y, size_t y_stride) {
  packed_linear_variants[set](rows, x, x_stride, w, first, count, finish, y, y_stride);
}

void plumb_packed_linear_naive(size_t rows, const float *x, size_t x_stride,
                               const plumb_packed *w, size_t first, size_t count,
                               plumb_finish finish, float *y, size_t y_stride) {
  const size_t width = finish == PLUMB_SWIGLU ? PANEL / 2 : PANEL;
  for (size_t panel = first; panel < first + count; panel++)
    for (size_t row = 0; row < rows; row++) {
      double sums[PANEL];
      for (size_t column = 0; column < PANEL; column++) {
        sums[column] = w->bias ? w->bias[panel * PANEL + column] : 0;
        for (size_t k = 0; k < w->inner; k++)
          sums[column] += (double)x[row * x_stride + k] *
                          w->panels[(panel * w->inner + k) * PANEL + column];
      }
      for (size_t column = 0; column < width && panel * width + column < w->outer; column++) {
        float *out = y + row * y_stride + panel * width + column;
        const double sum = sums[column];
        switch (finish) {
          case PLUMB_STORE: *out = (float)sum; break;
          case PLUMB_ADD: *out += (float)sum; break;
          case PLUMB_SWIGLU:
            plumb_swiglu_naive(1, 1, (float[]){(float)sum, (float)sums[width + column]}, out);
            break;
          case PLUMB_GELU: plumb_gelu_naive(1, (float[]){(float)sum}, out); break;
        }
      }
    }
}
