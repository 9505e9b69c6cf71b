// Which instruction set the kernels of decoding run on.
#include "instructions.h"

#include <stdatomic.h>

static plumb_instructions find_best(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return PLUMB_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
    return PLUMB_AVX2;
#endif
  return PLUMB_BASELINE;
}

plumb_instructions plumb_best_instructions(void) {
  static atomic_int known = -1;
  int set = atomic_load_explicit(&known, memory_order_relaxed);
  if (set < 0) {
    set = find_best();
    atomic_store_explicit(&known, set, memory_order_relaxed);
  }
  return (plumb_instructions)set;
}
