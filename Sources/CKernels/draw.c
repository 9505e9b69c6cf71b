// Drawing a token from a row of logits, without sorting the vocabulary.
#include "draw.h"

#include "variants.h"

#define BLOCK 128

typedef struct {
  float largest;
  double total;
} distribution;

/// weights = e^(x / t - largest), with the sum of every block behind them; one pass for the largest,
/// one for the rest. The total is NaN or not finite where the logits give no distribution.
BODY distribution weigh(const float *restrict x, size_t count, float temperature,
                        float *restrict weights, double *restrict sums) {
  RELAXED
  const float most = largest(x, count) / temperature;
  double total = 0;
  size_t i = 0;
  for (size_t block = 0; i < count; block++) {
    const size_t end = i + BLOCK < count ? i + BLOCK : count;
    float sum = 0;
    if (temperature == 1)
      for (; i < end; i++) {
        const float weight = fast_exp(x[i] - most);
        weights[i] = weight;
        sum += weight;
      }
    else
      for (; i < end; i++) {
        const float weight = fast_exp(x[i] / temperature - most);
        weights[i] = weight;
        sum += weight;
      }
    sums[block] = sum;
    total += sum;
  }
  return (distribution){most, total};
}

/// The token where the running sum of weights, in order of ids, passes `target`; otherwise the last
/// that has any weight.
BODY int32_t token_at(double target, const float *restrict weights, const double *restrict sums,
                      size_t count) {
  double mass = 0;
  size_t block = 0;
  while ((block + 1) * BLOCK < count && mass + sums[block] <= target) mass += sums[block++];
  for (size_t i = block * BLOCK; i < count; i++) {
    mass += weights[i];
    if (weights[i] > 0 && mass > target) return (int32_t)i;
  }
  for (size_t i = count; i > 0; i--)
    if (weights[i - 1] > 0) return (int32_t)(i - 1);
  return -1;
}

// Filters ---------------------------------------------------------------------------------------

/// The k-th largest of `count` numbers, k from 1; reorders them (selection, Hoare 1961).
static float kth_largest(float *x, size_t count, size_t k) {
  ptrdiff_t low = 0, high = (ptrdiff_t)count - 1;
  const ptrdiff_t wanted = (ptrdiff_t)k - 1;
  while (low < high) {
    const float pivot = x[low + (high - low) / 2];
    ptrdiff_t i = low - 1, j = high + 1;
    for (;;) {
      do i++;
      while (x[i] > pivot);
      do j--;
      while (x[j] < pivot);
      if (i >= j) break;
      const float other = x[i];
      x[i] = x[j];
      x[j] = other;
    }
    // x[low ... j] >= pivot >= x[j + 1 ... high], and j < high.
    if (wanted <= j)
      high = j;
    else
      low = j + 1;
  }
  return x[wanted];
}

typedef struct {
  float weight;
  int32_t token;
} candidate;

/// Whether a goes before b when tokens are dropped: the lighter, of equals the one of higher id.
static bool goes_first(candidate a, candidate b) {
  return a.weight < b.weight || (a.weight == b.weight && a.token > b.token);
}

static void swap(candidate *a, candidate *b) {
  const candidate other = *a;
  *a = *b;
  *b = other;
}

/// Puts candidates that are dropped first and returns their number: as many of the lightest as have,
/// with `light`, a mass of at most `tail`, but never the heaviest. Selection, not sorting.
static size_t dropped_count(candidate *items, size_t count, double light, double tail) {
  size_t low = 0, high = count;
  while (low < high) {
    // The middle of three to the end as pivot.
    candidate *first = items + low, *middle = items + low + (high - low) / 2,
              *last = items + high - 1;
    if (goes_first(*middle, *first)) swap(middle, first);
    if (goes_first(*last, *first)) swap(last, first);
    if (goes_first(*middle, *last)) swap(middle, last);
    const candidate pivot = *last;
    size_t place = low;
    double mass = 0;
    for (size_t i = low; i + 1 < high; i++)
      if (goes_first(items[i], pivot)) {
        mass += items[i].weight;
        swap(items + i, items + place++);
      }
    swap(items + place, items + high - 1);
    if (light + mass > tail) {
      high = place;
    } else if (place + 1 == count || light + mass + pivot.weight > tail) {
      return place;
    } else {
      light += mass + pivot.weight;
      low = place + 1;
    }
  }
  return low;
}

/// Weights of tokens outside the nucleus become 0. `sum` is that of all weights.
static void keep_nucleus(float *weights, size_t count, double sum, float top_p,
                         candidate *items) {
  const double tail = (1 - (double)top_p) * sum;
  // Tokens no heavier than w together weigh at most w times their number, so one of at most
  // tail / V lies in the part that is cut off, and need not be looked at again.
  const double floor = tail / (double)count;
  const float heaviest = largest(weights, count);
  double light = 0;
  size_t taken = 0;
  for (size_t i = 0; i < count; i++)
    if (weights[i] > floor || weights[i] == heaviest) {
      items[taken++] = (candidate){weights[i], (int32_t)i};
    } else {
      light += weights[i];
      weights[i] = 0;
    }
  const size_t dropped = dropped_count(items, taken, light, tail);
  for (size_t i = 0; i < dropped; i++) weights[items[i].token] = 0;
}

static bool is_seen(const uint64_t *seen, size_t token) { return seen[token / 64] >> token % 64 & 1; }

/// The logits, those of seen tokens divided or, if negative, multiplied by the penalty.
static void penalized(const float *logits, size_t count, float penalty, const uint64_t *seen,
                      float *out) {
  memcpy(out, logits, count * sizeof(float));
  if (penalty == 1) return;
  for (size_t i = 0; i < count; i++)
    if (is_seen(seen, i)) out[i] = out[i] < 0 ? out[i] * penalty : out[i] / penalty;
}

BODY int32_t first_largest(const float *x, size_t count) {
  const float most = largest(x, count);
  for (size_t i = 0; i < count; i++)
    if (x[i] == most) return (int32_t)i;
  return -1;
}

// Draws -----------------------------------------------------------------------------------------

size_t plumb_draw_scratch(size_t vocabulary) { return 2 * (vocabulary / BLOCK + 2) + 3 * vocabulary; }

BODY int32_t draw_body(const float *logits, size_t count, const plumb_draw_options *options,
                       double uniform, const uint64_t *seen, float *scratch, float *logprob) {
  if (count == 0) return -1;
  const bool is_greedy = options->temperature == 0;
  const float temperature = is_greedy ? 1 : options->temperature;
  double *sums = (double *)(void *)scratch;
  float *weights = scratch + 2 * (count / BLOCK + 2), *spare = weights + count;
  const distribution whole = weigh(logits, count, temperature, weights, sums);
  // A NaN is passed over by the search for the largest, and shows in the sum.
  if (!(whole.total > 0 && whole.total < INFINITY) || isinf(whole.largest)) return -1;
  const bool is_filtered = (options->top_k > 0 && options->top_k < count) || options->top_p < 1 ||
                           options->min_p > 0 || options->repetition_penalty != 1;
  int32_t token;
  if (!is_filtered) {
    token = is_greedy ? first_largest(logits, count)
                      : token_at(uniform * whole.total, weights, sums, count);
  } else {
    penalized(logits, count, options->repetition_penalty, seen, spare);
    if (is_greedy) {
      token = first_largest(spare, count);
    } else {
      if (options->top_k > 0 && options->top_k < count) {
        memcpy(weights, spare, count * sizeof(float));
        const float threshold = kth_largest(weights, count, options->top_k);
        for (size_t i = 0; i < count; i++)
          if (spare[i] < threshold) spare[i] = -INFINITY;
      }
      double sum = weigh(spare, count, temperature, weights, sums).total;
      if (!(sum > 0 && sum < INFINITY)) return -1;
      if (options->top_p < 1)
        keep_nucleus(weights, count, sum, options->top_p, (candidate *)(void *)spare);
      // The heaviest weight is e^0.
      for (size_t i = 0; i < count; i++)
        if (weights[i] < options->min_p) weights[i] = 0;
      sum = 0;
      for (size_t block = 0; block * BLOCK < count; block++) {
        sums[block] = 0;
        for (size_t i = block * BLOCK; i < count && i < (block + 1) * BLOCK; i++)
          sums[block] += weights[i];
        sum += sums[block];
      }
      token = token_at(uniform * sum, weights, sums, count);
    }
  }
  // Not the logarithm of a weight: a penalty can make a token likely whose own one underflows.
  if (token >= 0)
    *logprob = (float)((double)(logits[token] / temperature) - whole.largest - log(whole.total));
  return token;
}

#define DRAW_ARGUMENTS logits, vocabulary, options, uniform, seen, scratch, logprob

VARIANTS(int32_t, draw,
         (const float *logits, size_t vocabulary, const plumb_draw_options *options,
          double uniform, const uint64_t *seen, float *scratch, float *logprob),
         return draw_body(DRAW_ARGUMENTS), return draw_body(DRAW_ARGUMENTS),
         return draw_body(DRAW_ARGUMENTS))

int32_t plumb_draw(const float *logits, size_t vocabulary, const plumb_draw_options *options,
                   double uniform, const uint64_t *seen, float *scratch, float *logprob) {
  return draw_variants[plumb_best_instructions()](DRAW_ARGUMENTS);
}

int32_t plumb_draw_on(plumb_instructions set, const float *logits, size_t vocabulary,
                      const plumb_draw_options *options, double uniform, const uint64_t *seen,
                      float *scratch, float *logprob) {
  return draw_variants[set](DRAW_ARGUMENTS);
}
