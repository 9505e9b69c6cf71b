// Kernels written once and compiled for three instruction sets, each of which tests can call.
//
// `target_clones` would choose too, but never lets a test run what this machine does not choose, and
// shapes register tiles alike for 32 and for 16 registers.
#ifndef VARIANTS_H
#define VARIANTS_H

#include "kernel.h"
#include "instructions.h"

#if defined(__x86_64__)
#define FOR_AVX512 __attribute__((target("arch=x86-64-v4"), min_vector_width(512)))
#define FOR_AVX2 __attribute__((target("arch=x86-64-v3")))
#else
#define FOR_AVX512
#define FOR_AVX2
#endif

/// Defines name_avx512, name_avx2 and name_baseline, one body each, and a table of them.
#define VARIANTS(result, name, parameters, body512, body2, body0)      \
  FOR_AVX512 static result name##_avx512 parameters { body512; }       \
  FOR_AVX2 static result name##_avx2 parameters { body2; }             \
  static result name##_baseline parameters { body0; }                  \
  static result(*const name##_variants[]) parameters = {               \
      [PLUMB_BASELINE] = name##_baseline,                              \
      [PLUMB_AVX2] = name##_avx2,                                      \
      [PLUMB_AVX512] = name##_avx512,                                  \
  };

#endif
