// Gated and plain activations of the feed-forward layers.
#include "kernel.h"

// y = silu(gate) up, silu(a) = a / (1 + e^-a); a row of x holds `columns` gates, then as many ups
// (Shazeer 2020, "GLU variants improve transformer").
BODY void swiglu_body(size_t rows, size_t columns, const float *restrict x, float *restrict y) {
  STRICT
  for (size_t row = 0; row < rows; row++, x += 2 * columns, y += columns)
    for (size_t i = 0; i < columns; i++)
      y[i] = x[i] / (1 + fast_exp(-x[i])) * x[columns + i];
}

CLONES void plumb_swiglu(size_t rows, size_t columns, const float *restrict x, float *restrict y) {
  swiglu_body(rows, columns, x, y);
}

void plumb_swiglu_naive(size_t rows, size_t columns, const float *x, float *y) {
  for (size_t row = 0; row < rows; row++)
    for (size_t i = 0; i < columns; i++) {
      float gate = x[2 * row * columns + i], up = x[(2 * row + 1) * columns + i];
      y[row * columns + i] = gate / (1 + expf(-gate)) * up;
    }
}

// With s = sigmoid(gate): dgate = g up s (1 + gate (1 - s)), dup = g gate s.
BODY void swiglu_backward_body(size_t rows, size_t columns, const float *restrict g,
                               const float *restrict x, float *restrict dx, bool fresh) {
  STRICT
  for (size_t row = 0; row < rows; row++, x += 2 * columns, dx += 2 * columns, g += columns)
    for (size_t i = 0; i < columns; i++) {
      float gate = x[i], up = x[columns + i];
      float s = 1 / (1 + fast_exp(-gate));
      float dgate = g[i] * up * (s * (1 + gate * (1 - s)));
      float dup = g[i] * (gate * s);
      dx[i] = fresh ? dgate : dx[i] + dgate;
      dx[columns + i] = fresh ? dup : dx[columns + i] + dup;
    }
}

CLONES void plumb_swiglu_backward(size_t rows, size_t columns, const float *restrict g,
                                  const float *restrict x, float *restrict dx, bool fresh) {
  if (fresh)
    swiglu_backward_body(rows, columns, g, x, dx, true);
  else
    swiglu_backward_body(rows, columns, g, x, dx, false);
}

void plumb_swiglu_backward_naive(size_t rows, size_t columns, const float *g, const float *x,
                                 float *dx, bool fresh) {
  for (size_t row = 0; row < rows; row++)
    for (size_t i = 0; i < columns; i++) {
      size_t gate_at = 2 * row * columns + i, up_at = gate_at + columns;
      float gate = x[gate_at], s = 1 / (1 + expf(-gate)), own = g[row * columns + i];
      float dgate = own * x[up_at] * (s * (1 + gate * (1 - s))), dup = own * (gate * s);
      dx[gate_at] = dgate + (fresh ? 0 : dx[gate_at]);
      dx[up_at] = dup + (fresh ? 0 : dx[up_at]);
    }
}

BODY void gelu_body(size_t count, const float *restrict x, float *restrict y) {
  STRICT
  for (size_t i = 0; i < count; i++) y[i] = gelu_of(x[i]);
}

CLONES void plumb_gelu(size_t count, const float *restrict x, float *restrict y) {
  gelu_body(count, x, y);
}

void plumb_gelu_naive(size_t count, const float *x, float *y) {
  for (size_t i = 0; i < count; i++) {
    double u = 0.7978845608028654 * (x[i] + 0.044715 * x[i] * x[i] * x[i]);
    y[i] = (float)(0.5 * x[i] * (1 + tanh(u)));
  }
}

BODY void gelu_backward_body(size_t count, const float *restrict g, const float *restrict x,
                             float *restrict dx, bool fresh) {
  STRICT
  for (size_t i = 0; i < count; i++) {
    float square = x[i] * x[i];
    float s = 1 / (1 + fast_exp(-(GELU_SCALE * x[i] * (1 + GELU_CUBIC * square))));
    float slope = s + x[i] * (s * (1 - s)) * (GELU_SCALE * (1 + 3 * GELU_CUBIC * square));
    dx[i] = fresh ? g[i] * slope : dx[i] + g[i] * slope;
  }
}

CLONES void plumb_gelu_backward(size_t count, const float *restrict g, const float *restrict x,
                                float *restrict dx, bool fresh) {
  gelu_backward_body(count, g, x, dx, fresh);
}

void plumb_gelu_backward_naive(size_t count, const float *g, const float *x, float *dx,
                               bool fresh) {
  for (size_t i = 0; i < count; i++) {
    double u = 0.7978845608028654 * (x[i] + 0.044715 * x[i] * x[i] * x[i]), t = tanh(u);
    double slope = 0.5 * (1 + t) + 0.5 * x[i] * (1 - t * t) * 0.7978845608028654 *
                                       (1 + 3 * 0.044715 * x[i] * x[i]);
    dx[i] = (float)(g[i] * slope) + (fresh ? 0 : dx[i]);
  }
}
