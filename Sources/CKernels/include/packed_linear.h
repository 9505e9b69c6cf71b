#ifndef PACKED_LINEAR_H
#define PACKED_LINEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "instructions.h"

/// Outputs that lie side by side in a packed weight.
#define PLUMB_PANEL 64

/// What becomes of a product.
typedef enum {
  PLUMB_STORE,   ///< y = product + bias
  PLUMB_ADD,     ///< y += product + bias
  PLUMB_GELU,    ///< y = gelu(product + bias)
  PLUMB_SWIGLU,  ///< y = silu(gate) up, of a weight packed as gated
} plumb_finish;

/// A weight [outer, inner] cut into panels [inner, 64], the last one filled up with zeros.
///
/// Of a gated weight [2 outer, inner], gates first, a panel holds 32 gates and the same 32 ups.
typedef struct {
  const float *panels;
  /// One per packed output, or null.
  const float *bias;
  size_t inner;
  /// Columns of y.
  size_t outer;
  bool is_gated;
} plumb_packed;

/// How many panels a weight with so many columns of y has.
size_t plumb_panel_count(size_t outer, bool is_gated);

/// Packs panels first ..< first + count of a weight: element (o, k) lies at
/// w[o * outer_stride + k * inner_stride].
void plumb_pack_panels(size_t outer, size_t inner, bool is_gated, const float *w,
                       size_t outer_stride, size_t inner_stride, size_t first, size_t count,
                       float *panels);

/// The columns of y = x w^T that belong to panels first ..< first + count; x is [rows, inner], rows
/// lie x_stride and y_stride apart.
void plumb_packed_linear(size_t rows, const float *x, size_t x_stride, const plumb_packed *w,
                         size_t first, size_t count, plumb_finish finish, float *y,
                         size_t y_stride);

/// The same on a chosen instruction set, which the machine must have.
void plumb_packed_linear_on(plumb_instructions set, size_t rows, const float *x, size_t x_stride,
                            const plumb_packed *w, size_t first, size_t count,
                            plumb_finish finish, float *y, size_t y_stride);

/// The same in the plainest order, to test the other against.
void plumb_packed_linear_naive(size_t rows, const float *x, size_t x_stride,
                               const plumb_packed *w, size_t first, size_t count,
                               plumb_finish finish, float *y, size_t y_stride);

#endif
