#ifndef INSTRUCTIONS_H
#define INSTRUCTIONS_H

/// Instruction sets that the kernels of decoding are compiled for.
typedef enum { PLUMB_BASELINE, PLUMB_AVX2, PLUMB_AVX512 } plumb_instructions;

/// The best set that this machine has; kernels run on it unless they are told otherwise.
plumb_instructions plumb_best_instructions(void);

#endif
