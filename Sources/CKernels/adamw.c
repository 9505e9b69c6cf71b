// AdamW (Loshchilov and Hutter 2019) over a run of parameters that share their weight decay.
#include "kernel.h"

// g' = scale g; m = b1 m + (1 - b1) g'; v = b2 v + (1 - b2) g'^2;
// w = w (1 - rate decay) - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon), as PyTorch does.
BODY void adamw_body(size_t count, float *restrict w, const float *restrict g, float *restrict m,
                     float *restrict v, float gradient_scale, float beta1, float beta2,
                     float epsilon, float step_size, float correction2, float decay_factor) {
  RELAXED
  for (size_t i = 0; i < count; i++) {
    float gradient = g[i] * gradient_scale;
    float first = beta1 * m[i] + (1 - beta1) * gradient;
    float second = beta2 * v[i] + (1 - beta2) * (gradient * gradient);
    m[i] = first;
    v[i] = second;
    float denominator = __builtin_elementwise_sqrt(second) * correction2 + epsilon;
    w[i] = w[i] * decay_factor - step_size * (first / denominator);
  }
}

CLONES void plumb_adamw(size_t count, float *restrict w, const float *restrict g,
                        float *restrict m, float *restrict v, float gradient_scale, float beta1,
                        float beta2, float epsilon, float step_size, float correction2,
                        float decay_factor) {
  adamw_body(count, w, g, m, v, gradient_scale, beta1, beta2, epsilon, step_size, correction2,
             decay_factor);
}

void plumb_adamw_naive(size_t count, float *w, const float *g, float *m, float *v,
                       float gradient_scale, float beta1, float beta2, float epsilon,
                       float step_size, float correction2, float decay_factor) {
  for (size_t i = 0; i < count; i++) {
    double gradient = (double)g[i] * gradient_scale;
    m[i] = (float)(beta1 * (double)m[i] + (1 - (double)beta1) * gradient);
    v[i] = (float)(beta2 * (double)v[i] + (1 - (double)beta2) * gradient * gradient);
    w[i] = (float)(w[i] * (double)decay_factor -
                   step_size * (m[i] / (sqrt((double)v[i]) * correction2 + epsilon)));
  }
}

CLONES void plumb_scale(size_t count, float factor, float *restrict x) {
  for (size_t i = 0; i < count; i++) x[i] *= factor;
}

BODY double sum_of_squares_body(size_t count, const float *restrict x) {
  RELAXED
  double total = 0;
  for (size_t i = 0; i < count; i++) total += (double)x[i] * (double)x[i];
  return total;
}

CLONES double plumb_sum_of_squares(size_t count, const float *restrict x) {
  return sum_of_squares_body(count, x);
}

// x - x is 0 for finite x and NaN otherwise.
BODY bool all_finite_body(size_t count, const float *restrict x) {
  float residue = 0;
  float lanes[16] = {0};
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int lane = 0; lane < 16; lane++) lanes[lane] += x[i + lane] - x[i + lane];
  for (; i < count; i++) residue += x[i] - x[i];
  for (int lane = 0; lane < 16; lane++) residue += lanes[lane];
  return residue == 0;
}

CLONES bool plumb_all_finite(size_t count, const float *restrict x) {
  return all_finite_body(count, x);
}
