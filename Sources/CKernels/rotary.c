// Rotary position embedding (Su et al. 2021), halves rotated against each other as Hugging Face does.
#include "kernel.h"

// Per head: y[i] = x[i] cos - x[i + h] sin, y[i + h] = x[i + h] cos + x[i] sin, h = dimension / 2.
// Tables are [positions, h]; a direction of -1 turns back, which is the gradient.
BODY void rotary_body(size_t rows, size_t heads, size_t dimension, const float *restrict x,
                      const int32_t *restrict positions, const float *restrict cosines,
                      const float *restrict sines, float direction, bool fresh,
                      float *restrict y) {
  RELAXED
  size_t half = dimension / 2;
  for (size_t row = 0; row < rows; row++) {
    const float *restrict c = cosines + (size_t)positions[row] * half;
    const float *restrict s = sines + (size_t)positions[row] * half;
    for (size_t head = 0; head < heads; head++, x += dimension, y += dimension)
      for (size_t i = 0; i < half; i++) {
        float sine = direction * s[i];
        float low = x[i] * c[i] - x[i + half] * sine;
        float high = x[i + half] * c[i] + x[i] * sine;
        y[i] = fresh ? low : y[i] + low;
        y[i + half] = fresh ? high : y[i + half] + high;
      }
  }
}

CLONES void plumb_rotary(size_t rows, size_t heads, size_t dimension, const float *restrict x,
                         const int32_t *restrict positions, const float *restrict cosines,
                         const float *restrict sines, float direction, bool fresh,
                         float *restrict y) {
  rotary_body(rows, heads, dimension, x, positions, cosines, sines, direction, fresh, y);
}

CLONES void plumb_rotary_in_place(size_t rows, size_t heads, size_t dimension,
                                  const int32_t *restrict positions,
                                  const float *restrict cosines, const float *restrict sines,
                                  float direction, float *restrict x, size_t stride) {
  RELAXED
  size_t half = dimension / 2;
  for (size_t row = 0; row < rows; row++, x += stride) {
    const float *restrict c = cosines + (size_t)positions[row] * half;
    const float *restrict s = sines + (size_t)positions[row] * half;
    for (size_t head = 0; head < heads; head++) {
      float *restrict lows = x + head * dimension, *restrict highs = lows + half;
      for (size_t i = 0; i < half; i++) {
        float sine = direction * s[i], low = lows[i], high = highs[i];
        lows[i] = low * c[i] - high * sine;
        highs[i] = high * c[i] + low * sine;
      }
    }
  }
}

void plumb_rotary_naive(size_t rows, size_t heads, size_t dimension, const float *x,
                        const int32_t *positions, float base, float *y) {
  size_t half = dimension / 2;
  for (size_t row = 0; row < rows; row++)
    for (size_t head = 0; head < heads; head++)
      for (size_t i = 0; i < half; i++) {
        float frequency = 1.0f / powf(base, (float)(2 * i) / (float)dimension);
        float angle = (float)positions[row] * frequency;
        const float *in = x + (row * heads + head) * dimension;
        float *out = y + (row * heads + head) * dimension;
        out[i] = in[i] * cosf(angle) - in[i + half] * sinf(angle);
        out[i + half] = in[i + half] * cosf(angle) + in[i] * sinf(angle);
      }
}
