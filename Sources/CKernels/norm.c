// Normalization of rows: root mean square (Zhang and Sennrich 2019) and layer norm (Ba et al. 2016).
#include "kernel.h"

// y = w x r with r = 1 / sqrt(mean(x^2) + epsilon); `scales` keeps r.
BODY void rmsnorm_body(size_t rows, size_t columns, const float *restrict x,
                       const float *restrict weight, float epsilon, float *restrict y,
                       float *restrict scales) {
  RELAXED
  for (size_t row = 0; row < rows; row++, x += columns, y += columns) {
    float squares = 0;
    for (size_t i = 0; i < columns; i++) squares += x[i] * x[i];
    float scale = 1 / __builtin_elementwise_sqrt(squares / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++) y[i] = x[i] * scale * weight[i];
    scales[row] = scale;
  }
}

CLONES void plumb_rmsnorm(size_t rows, size_t columns, const float *restrict x,
                          const float *restrict weight, float epsilon, float *restrict y,
                          float *restrict scales) {
  rmsnorm_body(rows, columns, x, weight, epsilon, y, scales);
}

void plumb_rmsnorm_naive(size_t rows, size_t columns, const float *x, const float *weight,
                         float epsilon, float *y, float *scales) {
  for (size_t row = 0; row < rows; row++) {
    double squares = 0;
    for (size_t i = 0; i < columns; i++) squares += (double)x[row * columns + i] * x[row * columns + i];
    double scale = 1 / sqrt(squares / (double)columns + epsilon);
    for (size_t i = 0; i < columns; i++)
      y[row * columns + i] = (float)(x[row * columns + i] * scale * weight[i]);
    scales[row] = (float)scale;
  }
}

// dx = r (w g) - x r^3 mean(w g x); dw += sum over rows of g x r. dx and dw may be null.
BODY void rmsnorm_backward_body(size_t rows, size_t columns, const float *restrict g,
                                const float *restrict x, const float *restrict weight,
                                const float *restrict scales, float *restrict dx, bool fresh,
                                float *restrict dweight) {
  RELAXED
  for (size_t row = 0; row < rows; row++, x += columns, g += columns) {
    float scale = scales[row];
    if (dx) {
      float *restrict out = dx + row * columns;
      float product = 0;
      for (size_t i = 0; i < columns; i++) product += weight[i] * g[i] * x[i];
      float common = product * scale * scale * scale / (float)columns;
      if (fresh)
        for (size_t i = 0; i < columns; i++) out[i] = scale * (weight[i] * g[i]) - common * x[i];
      else
        for (size_t i = 0; i < columns; i++) out[i] += scale * (weight[i] * g[i]) - common * x[i];
    }
    if (dweight)
      for (size_t i = 0; i < columns; i++) dweight[i] += g[i] * (x[i] * scale);
  }
}

CLONES void plumb_rmsnorm_backward(size_t rows, size_t columns, const float *restrict g,
                                   const float *restrict x, const float *restrict weight,
                                   const float *restrict scales, float *restrict dx, bool fresh,
                                   float *restrict dweight) {
  rmsnorm_backward_body(rows, columns, g, x, weight, scales, dx, fresh, dweight);
}

void plumb_rmsnorm_backward_naive(size_t rows, size_t columns, const float *g, const float *x,
                                  const float *weight, const float *scales, float *dx, bool fresh,
                                  float *dweight) {
  for (size_t row = 0; row < rows; row++, x += columns, g += columns) {
    double r = scales[row], product = 0;
    for (size_t i = 0; i < columns; i++) product += (double)weight[i] * g[i] * x[i];
    for (size_t i = 0; i < columns; i++) {
      double value = r * weight[i] * g[i] - x[i] * r * r * r * product / (double)columns;
      if (dx) dx[row * columns + i] = (float)(value + (fresh ? 0 : dx[row * columns + i]));
      if (dweight) dweight[i] += (float)(g[i] * x[i] * r);
    }
  }
}

// y = w (x - mean) r + b with r = 1 / sqrt(var + epsilon), var over the row, not corrected.
BODY void layernorm_body(size_t rows, size_t columns, const float *restrict x,
                         const float *restrict weight, const float *restrict bias, float epsilon,
                         float *restrict y, float *restrict means, float *restrict scales) {
  RELAXED
  for (size_t row = 0; row < rows; row++, x += columns, y += columns) {
    float total = 0;
    for (size_t i = 0; i < columns; i++) total += x[i];
    float mean = total / (float)columns;
    float squares = 0;
    for (size_t i = 0; i < columns; i++) squares += (x[i] - mean) * (x[i] - mean);
    float scale = 1 / __builtin_elementwise_sqrt(squares / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
    means[row] = mean;
    scales[row] = scale;
  }
}

CLONES void plumb_layernorm(size_t rows, size_t columns, const float *restrict x,
                            const float *restrict weight, const float *restrict bias, float epsilon,
                            float *restrict y, float *restrict means, float *restrict scales) {
  layernorm_body(rows, columns, x, weight, bias, epsilon, y, means, scales);
}

void plumb_layernorm_naive(size_t rows, size_t columns, const float *x, const float *weight,
                           const float *bias, float epsilon, float *y, float *means,
                           float *scales) {
  for (size_t row = 0; row < rows; row++) {
    const float *in = x + row * columns;
    double mean = 0, variance = 0;
    for (size_t i = 0; i < columns; i++) mean += in[i];
    mean /= (double)columns;
    for (size_t i = 0; i < columns; i++) variance += (in[i] - mean) * (in[i] - mean);
    double scale = 1 / sqrt(variance / (double)columns + epsilon);
    for (size_t i = 0; i < columns; i++)
      y[row * columns + i] = (float)((in[i] - mean) * scale * weight[i] + bias[i]);
    means[row] = (float)mean;
    scales[row] = (float)scale;
  }
}

// With n = (x - mean) r: dx = r (w g - mean(w g) - n mean(w g n)); dw += g n, db += g over rows.
BODY void layernorm_backward_body(size_t rows, size_t columns, const float *restrict g,
                                  const float *restrict x, const float *restrict weight,
                                  const float *restrict means, const float *restrict scales,
                                  float *restrict dx, bool fresh, float *restrict dweight,
                                  float *restrict dbias) {
  RELAXED
  for (size_t row = 0; row < rows; row++, x += columns, g += columns) {
    float mean = means[row], scale = scales[row];
    if (dx) {
      float *restrict out = dx + row * columns;
      float sum = 0, product = 0;
      for (size_t i = 0; i < columns; i++) {
        float share = weight[i] * g[i];
        sum += share;
        product += share * ((x[i] - mean) * scale);
      }
      sum /= (float)columns;
      product /= (float)columns;
      for (size_t i = 0; i < columns; i++) {
        float value = scale * (weight[i] * g[i] - sum - (x[i] - mean) * scale * product);
        out[i] = fresh ? value : out[i] + value;
      }
    }
    if (dweight)
      for (size_t i = 0; i < columns; i++) dweight[i] += g[i] * ((x[i] - mean) * scale);
    if (dbias)
      for (size_t i = 0; i < columns; i++) dbias[i] += g[i];
  }
}

CLONES void plumb_layernorm_backward(size_t rows, size_t columns, const float *restrict g,
                                     const float *restrict x, const float *restrict weight,
                                     const float *restrict means, const float *restrict scales,
                                     float *restrict dx, bool fresh, float *restrict dweight,
                                     float *restrict dbias) {
  layernorm_backward_body(rows, columns, g, x, weight, means, scales, dx, fresh, dweight, dbias);
}

void plumb_layernorm_backward_naive(size_t rows, size_t columns, const float *g, const float *x,
                                    const float *weight, const float *means, const float *scales,
                                    float *dx, bool fresh, float *dweight, float *dbias) {
  for (size_t row = 0; row < rows; row++, x += columns, g += columns) {
    double r = scales[row], mean = means[row], sum = 0, product = 0;
    for (size_t i = 0; i < columns; i++) {
      sum += (double)weight[i] * g[i] / (double)columns;
      product += (double)weight[i] * g[i] * (x[i] - mean) * r / (double)columns;
    }
    for (size_t i = 0; i < columns; i++) {
      double n = (x[i] - mean) * r, value = r * ((double)weight[i] * g[i] - sum - n * product);
      if (dx) dx[row * columns + i] = (float)(value + (fresh ? 0 : dx[row * columns + i]));
      if (dweight) dweight[i] += (float)(g[i] * n);
      if (dbias) dbias[i] += g[i];
    }
  }
}
