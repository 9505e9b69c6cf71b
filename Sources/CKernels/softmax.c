// Rows of exponentials: softmax, log-softmax, causal attention tiles, log-probabilities of tokens.
#include "kernel.h"

/// Writes e^(x - shift) and returns the sum.
BODY float exponentials(size_t count, const float *x, float shift, float *y) {
  RELAXED
  float sum = 0;
  for (size_t i = 0; i < count; i++) {
    float e = fast_exp(x[i] - shift);
    y[i] = e;
    sum += e;
  }
  return sum;
}

BODY float sum_of_exponentials(size_t count, const float *x, float shift) {
  RELAXED
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += fast_exp(x[i] - shift);
  return sum;
}

BODY void scale_row(size_t count, float *x, float factor) {
  for (size_t i = 0; i < count; i++) x[i] *= factor;
}

// Softmax ---------------------------------------------------------------------------------------

CLONES void plumb_softmax(size_t rows, size_t columns, const float *restrict x, float *restrict y) {
  for (size_t row = 0; row < rows; row++, x += columns, y += columns)
    scale_row(columns, y, 1 / exponentials(columns, x, largest(x, columns), y));
}

void plumb_softmax_naive(size_t rows, size_t columns, const float *x, float *y) {
  for (size_t row = 0; row < rows; row++, x += columns, y += columns) {
    float most = -INFINITY;
    for (size_t i = 0; i < columns; i++) most = x[i] > most ? x[i] : most;
    double sum = 0;
    for (size_t i = 0; i < columns; i++) sum += exp((double)x[i] - most);
    for (size_t i = 0; i < columns; i++) y[i] = (float)(exp((double)x[i] - most) / sum);
  }
}

// dx = y (g - sum(g y)).
BODY void softmax_backward_body(size_t rows, size_t columns, const float *restrict g,
                                const float *restrict y, float *restrict dx, bool fresh) {
  RELAXED
  for (size_t row = 0; row < rows; row++, g += columns, y += columns, dx += columns) {
    float product = 0;
    for (size_t i = 0; i < columns; i++) product += g[i] * y[i];
    for (size_t i = 0; i < columns; i++) {
      float value = y[i] * (g[i] - product);
      dx[i] = fresh ? value : dx[i] + value;
    }
  }
}

CLONES void plumb_softmax_backward(size_t rows, size_t columns, const float *restrict g,
                                   const float *restrict y, float *restrict dx, bool fresh) {
  softmax_backward_body(rows, columns, g, y, dx, fresh);
}

void plumb_softmax_backward_naive(size_t rows, size_t columns, const float *g, const float *y,
                                  float *dx, bool fresh) {
  for (size_t row = 0; row < rows; row++, g += columns, y += columns, dx += columns) {
    double product = 0;
    for (size_t i = 0; i < columns; i++) product += (double)g[i] * y[i];
    for (size_t i = 0; i < columns; i++)
      dx[i] = (float)(y[i] * (g[i] - product) + (fresh ? 0 : dx[i]));
  }
}

CLONES void plumb_log_softmax(size_t rows, size_t columns, const float *restrict x,
                              float *restrict y) {
  for (size_t row = 0; row < rows; row++, x += columns, y += columns) {
    float most = largest(x, columns);
    float rest = logf(sum_of_exponentials(columns, x, most));
    for (size_t i = 0; i < columns; i++) y[i] = x[i] - most - rest;
  }
}

void plumb_log_softmax_naive(size_t rows, size_t columns, const float *x, float *y) {
  for (size_t row = 0; row < rows; row++, x += columns, y += columns) {
    float most = -INFINITY;
    for (size_t i = 0; i < columns; i++) most = x[i] > most ? x[i] : most;
    double sum = 0;
    for (size_t i = 0; i < columns; i++) sum += exp((double)x[i] - most);
    for (size_t i = 0; i < columns; i++) y[i] = (float)((double)x[i] - most - log(sum));
  }
}

// dx = g - e^y sum(g).
BODY void log_softmax_backward_body(size_t rows, size_t columns, const float *restrict g,
                                    const float *restrict y, float *restrict dx, bool fresh) {
  RELAXED
  for (size_t row = 0; row < rows; row++, g += columns, y += columns, dx += columns) {
    float total = 0;
    for (size_t i = 0; i < columns; i++) total += g[i];
    for (size_t i = 0; i < columns; i++) {
      float value = g[i] - fast_exp(y[i]) * total;
      dx[i] = fresh ? value : dx[i] + value;
    }
  }
}

CLONES void plumb_log_softmax_backward(size_t rows, size_t columns, const float *restrict g,
                                       const float *restrict y, float *restrict dx, bool fresh) {
  log_softmax_backward_body(rows, columns, g, y, dx, fresh);
}

void plumb_log_softmax_backward_naive(size_t rows, size_t columns, const float *g, const float *y,
                                      float *dx, bool fresh) {
  for (size_t row = 0; row < rows; row++, g += columns, y += columns, dx += columns) {
    double total = 0;
    for (size_t i = 0; i < columns; i++) total += g[i];
    for (size_t i = 0; i < columns; i++)
      dx[i] = (float)(g[i] - exp(y[i]) * total + (fresh ? 0 : dx[i]));
  }
}

// Causal attention --------------------------------------------------------------------------------

CLONES void plumb_causal_exponentials(size_t rows, size_t width, size_t visible,
                                      float *restrict scores, float *restrict sums,
                                      float *restrict logsumexps, size_t stride) {
  for (size_t row = 0; row < rows; row++, scores += width) {
    size_t count = visible + row;
    float most = largest(scores, count);
    float sum = exponentials(count, scores, most, scores);
    for (size_t i = count; i < width; i++) scores[i] = 0;
    sums[row] = sum;
    logsumexps[row * stride] = most + logf(sum);
  }
}

void plumb_causal_exponentials_naive(size_t rows, size_t width, size_t visible, float *scores,
                                     float *sums, float *logsumexps, size_t stride) {
  for (size_t row = 0; row < rows; row++, scores += width) {
    size_t count = visible + row;
    float most = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < count; i++) most = scores[i] > most ? scores[i] : most;
    for (size_t i = 0; i < count; i++) sum += exp((double)scores[i] - most);
    for (size_t i = 0; i < count; i++) scores[i] = (float)exp((double)scores[i] - most);
    for (size_t i = count; i < width; i++) scores[i] = 0;
    sums[row] = (float)sum;
    logsumexps[row * stride] = (float)(most + log(sum));
  }
}

// With p = e^(s - logsumexp): s becomes p, and dp becomes ds = scale p (dp - delta).
BODY void causal_backward_body(size_t rows, size_t width, size_t visible, float scale,
                               const float *restrict logsumexps, size_t stride,
                               const float *restrict deltas, float *restrict scores,
                               float *restrict gradients) {
  RELAXED
  for (size_t row = 0; row < rows; row++, scores += width, gradients += width) {
    size_t count = visible + row;
    float shift = logsumexps[row * stride], delta = deltas[row];
    for (size_t i = 0; i < count; i++) {
      float p = fast_exp(scores[i] - shift);
      scores[i] = p;
      gradients[i] = p * (gradients[i] - delta) * scale;
    }
    for (size_t i = count; i < width; i++) scores[i] = gradients[i] = 0;
  }
}

CLONES void plumb_causal_backward(size_t rows, size_t width, size_t visible, float scale,
                                  const float *restrict logsumexps, size_t stride,
                                  const float *restrict deltas, float *restrict scores,
                                  float *restrict gradients) {
  causal_backward_body(rows, width, visible, scale, logsumexps, stride, deltas, scores, gradients);
}

void plumb_causal_backward_naive(size_t rows, size_t width, size_t visible, float scale,
                                 const float *logsumexps, size_t stride, const float *deltas,
                                 float *scores, float *gradients) {
  for (size_t row = 0; row < rows; row++)
    for (size_t i = 0; i < width; i++) {
      bool seen = i < visible + row;
      float p = seen ? expf(scores[row * width + i] - logsumexps[row * stride]) : 0;
      scores[row * width + i] = p;
      gradients[row * width + i] =
          seen ? p * (gradients[row * width + i] - deltas[row]) * scale : 0;
    }
}

BODY void row_dots_body(size_t rows, size_t columns, size_t stride, const float *restrict a,
                        const float *restrict b, float *restrict dots) {
  RELAXED
  for (size_t row = 0; row < rows; row++, a += stride, b += stride) {
    float sum = 0;
    for (size_t i = 0; i < columns; i++) sum += a[i] * b[i];
    dots[row] = sum;
  }
}

CLONES void plumb_row_dots(size_t rows, size_t columns, size_t stride, const float *restrict a,
                           const float *restrict b, float *restrict dots) {
  row_dots_body(rows, columns, stride, a, b, dots);
}

void plumb_row_dots_naive(size_t rows, size_t columns, size_t stride, const float *a,
                          const float *b, float *dots) {
  for (size_t row = 0; row < rows; row++) {
    double sum = 0;
    for (size_t i = 0; i < columns; i++) sum += (double)a[row * stride + i] * b[row * stride + i];
    dots[row] = (float)sum;
  }
}

CLONES void plumb_divide_rows(size_t rows, size_t columns, size_t stride, float *restrict x,
                              const float *restrict divisors) {
  for (size_t row = 0; row < rows; row++)
    scale_row(columns, x + row * stride, 1 / divisors[row]);
}

// Log-probabilities of tokens ----------------------------------------------------------------------

// logprob = z[target] - logsumexp(z), entropy = logsumexp(z) - sum(p z); entropies may be null.
BODY void token_logprobs_body(size_t rows, size_t columns, const float *restrict logits,
                              const int32_t *restrict targets, float *restrict logprobs,
                              float *restrict logsumexps, float *restrict entropies) {
  RELAXED
  for (size_t row = 0; row < rows; row++, logits += columns) {
    float most = largest(logits, columns);
    float sum = 0;
    if (entropies) {
      float weighted = 0;  // sum of e^(z - most) (z - most)
      for (size_t i = 0; i < columns; i++) {
        float below = logits[i] - most;
        float e = fast_exp(below);
        sum += e;
        weighted += e > 0 ? e * below : 0;  // a logit of -infinity adds nothing
      }
      entropies[row] = logf(sum) - weighted / sum;
    } else {
      for (size_t i = 0; i < columns; i++) sum += fast_exp(logits[i] - most);
    }
    float rest = logf(sum);
    logsumexps[row] = most + rest;
    logprobs[row] = logits[targets[row]] - most - rest;
  }
}

CLONES void plumb_token_logprobs(size_t rows, size_t columns, const float *restrict logits,
                                 const int32_t *restrict targets, float *restrict logprobs,
                                 float *restrict logsumexps, float *restrict entropies) {
  token_logprobs_body(rows, columns, logits, targets, logprobs, logsumexps, entropies);
}

void plumb_token_logprobs_naive(size_t rows, size_t columns, const float *logits,
                                const int32_t *targets, float *logprobs, float *logsumexps,
                                float *entropies) {
  for (size_t row = 0; row < rows; row++, logits += columns) {
    double most = -INFINITY, sum = 0, entropy = 0;
    for (size_t i = 0; i < columns; i++) most = logits[i] > most ? logits[i] : most;
    for (size_t i = 0; i < columns; i++) sum += exp(logits[i] - most);
    for (size_t i = 0; i < columns; i++) {
      double logp = logits[i] - most - log(sum);
      if (exp(logp) > 0) entropy -= exp(logp) * logp;
    }
    logsumexps[row] = (float)(most + log(sum));
    logprobs[row] = (float)(logits[targets[row]] - most - log(sum));
    if (entropies) entropies[row] = (float)entropy;
  }
}

// In place: z becomes g (onehot(target) - softmax(z)).
BODY void token_logprobs_backward_body(size_t rows, size_t columns, float *restrict logits,
                                       const int32_t *restrict targets,
                                       const float *restrict logsumexps,
                                       const float *restrict g) {
  RELAXED
  for (size_t row = 0; row < rows; row++, logits += columns) {
    float shift = logsumexps[row], factor = -g[row];
    for (size_t i = 0; i < columns; i++) logits[i] = factor * fast_exp(logits[i] - shift);
    logits[targets[row]] += g[row];
  }
}

CLONES void plumb_token_logprobs_backward(size_t rows, size_t columns, float *restrict logits,
                                          const int32_t *restrict targets,
                                          const float *restrict logsumexps,
                                          const float *restrict g) {
  token_logprobs_backward_body(rows, columns, logits, targets, logsumexps, g);
}

void plumb_token_logprobs_backward_naive(size_t rows, size_t columns, float *logits,
                                         const int32_t *targets, const float *logsumexps,
                                         const float *g) {
  for (size_t row = 0; row < rows; row++, logits += columns)
    for (size_t i = 0; i < columns; i++) {
      double p = exp((double)logits[i] - logsumexps[row]);
      logits[i] = (float)(g[row] * ((i == (size_t)targets[row] ? 1 : 0) - p));
    }
}

// The same with the gradient e of the entropies: d entropy / d z = -p (log p + entropy).
BODY void token_entropy_backward_body(size_t rows, size_t columns, float *restrict logits,
                                      const int32_t *restrict targets,
                                      const float *restrict logsumexps,
                                      const float *restrict entropies, const float *restrict g,
                                      const float *restrict e) {
  RELAXED
  for (size_t row = 0; row < rows; row++, logits += columns) {
    float shift = logsumexps[row], factor = -g[row], slope = e[row], entropy = entropies[row];
    for (size_t i = 0; i < columns; i++) {
      float below = logits[i] - shift;
      float p = fast_exp(below);
      float gradient = p * (factor - slope * (below + entropy));
      logits[i] = p == 0 ? 0 : gradient;  // a logit of -infinity has no gradient
    }
    logits[targets[row]] += g[row];
  }
}

CLONES void plumb_token_entropy_backward(size_t rows, size_t columns, float *restrict logits,
                                         const int32_t *restrict targets,
                                         const float *restrict logsumexps,
                                         const float *restrict entropies, const float *restrict g,
                                         const float *restrict e) {
  token_entropy_backward_body(rows, columns, logits, targets, logsumexps, entropies, g, e);
}

void plumb_token_entropy_backward_naive(size_t rows, size_t columns, float *logits,
                                        const int32_t *targets, const float *logsumexps,
                                        const float *entropies, const float *g, const float *e) {
  for (size_t row = 0; row < rows; row++, logits += columns)
    for (size_t i = 0; i < columns; i++) {
      double logp = (double)logits[i] - logsumexps[row], p = exp(logp);
      double gradient = g[row] * ((i == (size_t)targets[row] ? 1 : 0) - p);
      if (p > 0) gradient -= e[row] * p * (logp + entropies[row]);
      logits[i] = (float)gradient;
    }
}
