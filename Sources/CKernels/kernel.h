// What every kernel file needs: clones per instruction set, and an exponential that vectorizes.
#ifndef KERNEL_H
#define KERNEL_H

#include "CKernels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

// One machine code for AVX-512, one for AVX2 with FMA, one for any x86-64; chosen when the program
// is loaded. ThreadSanitizer is not ready that early and would crash. The first two cases pick one
// machine code, so that tests reach it on a machine that would choose another (CONTRIBUTING.md).
#if defined(PLUMB_KERNELS_AVX2)
#define CLONES __attribute__((target("arch=x86-64-v3")))
#elif defined(PLUMB_KERNELS_BASELINE)
#define CLONES
#elif defined(__x86_64__) && !__has_feature(thread_sanitizer)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

// A body must be inlined into its clones, or all of them would call one baseline copy.
#define BODY static inline __attribute__((always_inline))

// At the start of a block: sums may be split over vector lanes. NaN and infinity keep their meaning.
#define RELAXED _Pragma("clang fp contract(fast) reassociate(on)")
#define STRICT _Pragma("clang fp contract(fast) reassociate(off)")

/// e^x within 2 ulp; 0 below -87.33 (no denormals), infinity above 88.72, NaN for NaN.
///
/// Range reduction to |r| <= ln(2) / 2 in two parts (Cody and Waite), then the polynomial of Cephes'
/// expf. libm's expf never vectorizes here and costs five times as much.
BODY float fast_exp(float x) {
  STRICT
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  float clamped = x < -87.5f ? -87.5f : x;
  clamped = clamped > 88.8f ? 88.8f : clamped;
  float shifted = clamped * 1.44269504088896341f + magic;
  float n = shifted - magic;
  float r = clamped - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // 2^n in two factors, because 2^128 is not a float.
  int32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  int32_t exponent = bits - 0x4B400000;
  int32_t half = exponent >> 1;
  int32_t low = (half + 127) << 23, high = (exponent - half + 127) << 23;
  float scale_low, scale_high;
  memcpy(&scale_low, &low, sizeof low);
  memcpy(&scale_high, &high, sizeof high);
  float result = p * scale_low * scale_high;
  result = x < -87.33654f ? 0.0f : result;
  return x > 88.72283f ? INFINITY : result;
}

#define GELU_SCALE 1.5957691216057308f  // 2 sqrt(2 / pi)
#define GELU_CUBIC 0.044715f

/// The tanh form of GELU ("gelu_new"): x (1 + tanh(u / 2)) / 2 = x sigmoid(u),
/// u = 2 sqrt(2 / pi) (x + 0.044715 x^3) (Hendrycks and Gimpel 2016).
BODY float gelu_of(float x) {
  STRICT
  float u = GELU_SCALE * x * (1 + GELU_CUBIC * (x * x));
  return x / (1 + fast_exp(-u));
}

/// The largest of `count` numbers, NaN passed over; -infinity if there is none.
BODY float largest(const float *x, size_t count) {
  float lanes[32];
  for (int lane = 0; lane < 32; lane++) lanes[lane] = -INFINITY;
  size_t i = 0;
  for (; i + 32 <= count; i += 32)
    for (int lane = 0; lane < 32; lane++)
      lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
  for (int width = 16; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++)
      lanes[lane] = lanes[lane + width] > lanes[lane] ? lanes[lane + width] : lanes[lane];
  float result = lanes[0];
  for (; i < count; i++) result = x[i] > result ? x[i] : result;
  return result;
}

// Sixteen lanes: one register of AVX-512, two of AVX2. Loads need no alignment beyond a float's.
#define LANES 16
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));

BODY float sum_of_lanes(const lanes *x) {
  float parts[LANES];
  memcpy(parts, x, sizeof parts);
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) parts[i] += parts[i + width];
  return parts[0];
}

#endif
