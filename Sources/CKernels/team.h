// All threads at once on one job, with barriers inside it.
#ifndef TEAM_H
#define TEAM_H

#include <stdatomic.h>

/// A place where all members of a team wait for each other; starts as {0}.
typedef struct {
  atomic_int arrived;
  _Alignas(64) atomic_uint round;
} team_barrier;

/// Calls work(context, member, members) on every thread of the pool at the same time and returns
/// when all are done. With one member on the caller's thread where the workers are not to be had:
/// inside another job, or while another thread holds them.
void team_run(void (*work)(void *context, int member, int members), void *context);

/// Returns when all members have called it.
void team_wait(team_barrier *barrier, int members);

#endif
