#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "cached_attention.h"

// Worker threads (threads.c) -------------------------------------------------------------------

/// Sets how many threads, the caller's included, `plumb_parallel` may use.
void plumb_set_thread_count(int count);

/// How many threads, the caller's included, `plumb_parallel` may use.
int plumb_thread_count(void);

/// Calls work(context, i) once for every i in 0..<chunks and returns when all are done.
///
/// Chunk i runs on thread i modulo the thread count. A nested call, and a call while another thread
/// holds the workers, runs its chunks one after the other on the caller's thread.
void plumb_parallel(int chunks, void (*work)(void *context, int chunk), void *context);

/// The pointer that the calling thread last kept with `plumb_set_thread_slot`, first null.
void *plumb_thread_slot(void);
void plumb_set_thread_slot(void *pointer);

#endif
